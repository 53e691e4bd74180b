import { type Bytes, equalBytes, fromHex, toHex } from '../codec/bytes.ts'
import { cipherSuites, type SignatureCurve } from '../crypto/public/cipherSuite.ts'
import type { PublicCrypto, PublicSuite } from '../crypto/public/publicSuite.ts'
import type { SignedDer } from './certificate.ts'
import { CredentialError } from './credentialError.ts'

/** Who verifies what certificates are signed with. */
export interface CertificateCrypto {
  /** For the curves of RFC 9420's cipher suites, with the same answers as for MLS's signatures. */
  readonly crypto: PublicCrypto
  /** For RSA, which MLS itself has no use for. */
  readonly subtle: SubtleCrypto
}

/**
 * How a SubjectPublicKeyInfo with a key of each curve begins; the key as RFC 9420 §5.1.1 has it
 * follows (RFC 8410 §4, RFC 5480 §2). There is one encoding for each key, without parameters or
 * compression to choose.
 */
const keyHeaders: Readonly<Record<SignatureCurve, Bytes>> = {
  Ed25519: fromHex('302a300506032b6570032100'),
  Ed448: fromHex('3043300506032b6571033a00'),
  'P-256': fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'),
  'P-384': fromHex('3076301006072a8648ce3d020106052b81040022036200'),
  'P-521': fromHex('30819b301006072a8648ce3d020106052b8104002303818600'),
}

/** Encoded AlgorithmIdentifiers by the curve whose keys sign so: ECDSA with the curve's own hash. */
const curveAlgorithms: ReadonlyMap<string, SignatureCurve> = new Map<string, SignatureCurve>([
  ['300506032b6570', 'Ed25519'],
  ['300506032b6571', 'Ed448'],
  ['300a06082a8648ce3d040302', 'P-256'],
  ['300a06082a8648ce3d040303', 'P-384'],
  ['300a06082a8648ce3d040304', 'P-521'],
])

/** PKCS #1 version 1.5, by its hash. */
const rsaAlgorithms: ReadonlyMap<string, string> = new Map([
  ['300d06092a864886f70d01010b0500', 'SHA-256'],
  ['300d06092a864886f70d01010c0500', 'SHA-384'],
  ['300d06092a864886f70d01010d0500', 'SHA-512'],
])

/** Whether this is the SubjectPublicKeyInfo of an MLS signature key (RFC 9420 §5.3). */
export function encodesKey(
  publicKeyInfo: Bytes,
  curve: SignatureCurve,
  signatureKey: Bytes,
): boolean {
  const key = keyOnCurve(publicKeyInfo, curve)
  return key !== undefined && equalBytes(key, signatureKey)
}

function keyOnCurve(publicKeyInfo: Bytes, curve: SignatureCurve): Bytes | undefined {
  const header = keyHeaders[curve]
  return equalBytes(publicKeyInfo.subarray(0, header.length), header)
    ? publicKeyInfo.subarray(header.length)
    : undefined
}

/**
 * Whether the holder of an encoded public key has signed this. It has not where key and algorithm
 * do not belong together.
 * @throws CredentialError `credential-algorithm-unsupported`
 */
export async function isSignedBy(
  { crypto, subtle }: CertificateCrypto,
  { signed, algorithm, signature }: SignedDer,
  publicKeyInfo: Bytes,
): Promise<boolean> {
  const name = toHex(algorithm)
  const hash = rsaAlgorithms.get(name)
  if (hash !== undefined) {
    const key = await importRsaKey(subtle, hash, publicKeyInfo)
    return key !== undefined && subtle.verify(rsa, key, signature, signed).catch(() => false)
  }
  const curve = curveAlgorithms.get(name)
  const suite = curve && suiteWith(crypto, curve)
  if (suite === undefined) throw unsupported('a signature algorithm that is not accepted')
  const key = keyOnCurve(publicKeyInfo, suite.suite.signature)
  return key !== undefined && suite.verify(key, signed, signature, 'recurring')
}

function suiteWith(crypto: PublicCrypto, curve: SignatureCurve): PublicSuite | undefined {
  const suite = [...cipherSuites.values()].find(({ signature }) => signature === curve)
  return suite && crypto.publicSuite(suite.id)
}

const rsa = 'RSASSA-PKCS1-v1_5'

/**
 * Undefined where the key is not RSA's at all. One of less than 2048 bits is weak, and one of more
 * than 8192, like a large exponent, is for keeping verifiers busy.
 */
async function importRsaKey(
  subtle: SubtleCrypto,
  hash: string,
  publicKeyInfo: Bytes,
): Promise<CryptoKey | undefined> {
  const importing = subtle.importKey('spki', publicKeyInfo, { name: rsa, hash }, false, ['verify'])
  const key = await importing.catch(() => undefined)
  if (key === undefined) return undefined
  const { modulusLength, publicExponent } = key.algorithm as RsaHashedKeyAlgorithm
  if (modulusLength < 2048 || modulusLength > 8192 || publicExponent.length > 5) {
    throw unsupported('an RSA key of that size')
  }
  return key
}

function unsupported(what: string): CredentialError {
  return new CredentialError('credential-algorithm-unsupported', what)
}
