import './reflectMetadata.ts'
import * as x509 from '@peculiar/x509'
import { type Bytes, plainBytes } from '../../src/codec/bytes.ts'
import {
  type Revocation,
  readRevocationList,
  type X509Credential,
  type X509Trust,
  x509Validator,
} from '../../src/credentials/index.ts'
import { type CipherSuite, cipherSuites, webPublicCrypto } from '../../src/crypto/public/index.ts'
import { CredentialType } from '../../src/wire/registry.ts'
import { VirtualClock } from '../virtualClock.ts'

const { subtle } = crypto

// The library takes 32 bytes for every curve unless it is told.
for (const [curve, size] of [
  ['P-384', 48],
  ['P-521', 66],
] as const) {
  x509.AsnEcSignatureFormatter.namedCurveSize.set(curve, size)
}

export const clock = new VirtualClock()
export const hour = 3_600_000
export const day = 24 * hour

/** Kinds of keys, with the hash of their certificates' signatures. */
export const kinds = {
  Ed25519: { name: 'Ed25519' },
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  RSA: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
  'RSA-1024': {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 1024,
    publicExponent: Uint8Array.of(1, 0, 1),
  },
} as const
export type Kind = keyof typeof kinds

/** Whoever has a certificate, with the keys to issue others. */
export interface Holder {
  readonly name: string
  readonly kind: Kind
  readonly keys: CryptoKeyPair
  readonly certificate: x509.X509Certificate
  readonly der: Bytes
}

export interface Wish {
  readonly kind?: Kind
  /** Itself where it is left out. */
  readonly issuer?: Pick<Holder, 'name' | 'kind' | 'keys'>
  readonly publicKey?: CryptoKey
  /** Milliseconds from the clock's now. */
  readonly from?: number
  readonly until?: number
  /** The hash of the signature, where it is not the usual one. */
  readonly hash?: string
  readonly extensions?: readonly x509.Extension[]
}

export async function generateKeys(kind: Kind): Promise<CryptoKeyPair> {
  return (await subtle.generateKey(kinds[kind], true, ['sign', 'verify'])) as CryptoKeyPair
}

export async function issue(name: string, wish: Wish): Promise<Holder> {
  const { kind = 'Ed25519', from = -day, until = day } = wish
  const keys = await generateKeys(kind)
  const issuer = wish.issuer ?? { name, kind, keys }
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: `CN=${issuer.name}`,
    notBefore: new Date(clock.now() + from),
    notAfter: new Date(clock.now() + until),
    publicKey: wish.publicKey ?? keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: { ...kinds[issuer.kind], ...(wish.hash && { hash: wish.hash }) },
    extensions: [...(wish.extensions ?? [])],
  })
  return { name, kind, keys, certificate, der: plainBytes(new Uint8Array(certificate.rawData)) }
}

const { digitalSignature, keyCertSign, cRLSign, keyEncipherment } = x509.KeyUsageFlags

export function usage(...flags: readonly x509.KeyUsageFlags[]): x509.Extension {
  return new x509.KeyUsagesExtension(
    flags.reduce((all, flag) => all | flag, 0),
    true,
  )
}

export const mayIssue = usage(keyCertSign, cRLSign)
export const mayIssueOnly = usage(keyCertSign)
export const maySign = usage(digitalSignature)
export const mayEncrypt = usage(keyEncipherment)

export function authority(pathLength?: number): x509.Extension {
  return new x509.BasicConstraintsExtension(true, pathLength, true)
}

export function noAuthority(): x509.Extension {
  return new x509.BasicConstraintsExtension(false, undefined, true)
}

export function alternativeNames(
  ...names: readonly { type: 'dns' | 'email' | 'url'; value: string }[]
): x509.Extension {
  return new x509.SubjectAlternativeNameExtension([...names])
}

export function extension(oid: string, critical: boolean): x509.Extension {
  return new x509.Extension(oid, critical, Uint8Array.of(0x05, 0x00))
}

/** An authority that is fit for its work, unless the wish says otherwise. */
export function issueAuthority(name: string, wish: Wish = {}): Promise<Holder> {
  return issue(name, { extensions: [authority(), mayIssue], ...wish })
}

/** Somebody with a certificate for signing messages. */
export function issueMember(name: string, issuer: Holder, wish: Wish = {}): Promise<Holder> {
  return issue(name, { issuer, extensions: [noAuthority(), maySign], ...wish })
}

export interface ListWish {
  readonly from?: number
  /** Undefined for a list that does not say when the next one comes. */
  readonly until?: number | undefined
  readonly extensions?: readonly x509.Extension[]
  readonly entryExtensions?: readonly x509.Extension[]
  /** Who signs it in the issuer's name. */
  readonly signer?: Holder
}

export async function revocationList(
  issuer: Holder,
  revoked: readonly Holder[],
  { from = -hour, extensions = [], entryExtensions = [], signer, ...wish }: ListWish = {},
): Promise<Bytes> {
  const until = 'until' in wish ? wish.until : hour
  const list = await x509.X509CrlGenerator.create({
    issuer: `CN=${issuer.name}`,
    thisUpdate: new Date(clock.now() + from),
    ...(until !== undefined && { nextUpdate: new Date(clock.now() + until) }),
    signingAlgorithm: kinds[(signer ?? issuer).kind],
    signingKey: (signer ?? issuer).keys.privateKey,
    extensions: [...extensions],
    entries: revoked.map(({ certificate }) => ({
      serialNumber: certificate.serialNumber,
      revocationDate: new Date(clock.now() - hour),
      extensions: [...entryExtensions],
    })),
  })
  return plainBytes(new Uint8Array(list.rawData))
}

export function credentialOf(...chain: readonly (Holder | Bytes)[]): X509Credential {
  return {
    credentialType: CredentialType.x509,
    certificates: chain.map((link) => ({ certData: 'der' in link ? link.der : link })),
  }
}

/** The public key as MLS has it (RFC 9420 §5.1.1). */
export async function signatureKeyOf({ keys }: Holder): Promise<Bytes> {
  return new Uint8Array(await subtle.exportKey('raw', keys.publicKey))
}

export function suiteOfKind(kind: string): CipherSuite {
  const suite = [...cipherSuites.values()].find(({ signature }) => signature === kind)
  if (suite === undefined) throw new Error(`no cipher suite signs with ${kind}`)
  return suite
}

export function trustIn(roots: readonly Holder[], revocation?: Revocation): X509Trust {
  return {
    crypto: webPublicCrypto(subtle),
    subtle,
    clock,
    roots: roots.map(({ der }) => der),
    ...(revocation && { revocation }),
  }
}

export function revocationBy(failClosed: boolean, ...lists: readonly Bytes[]): Revocation {
  const read = lists.map(readRevocationList)
  return { lists: () => read, failClosed }
}

/** Validates a member's chain as a receiver does. */
export async function validate(
  trust: X509Trust,
  credential: X509Credential,
  member: Holder,
  by: 'sender' | 'receiver' | 'joiner' = 'receiver',
) {
  const key = await signatureKeyOf(member)
  return x509Validator(trust).validate(credential, suiteOfKind(member.kind), key, by)
}
