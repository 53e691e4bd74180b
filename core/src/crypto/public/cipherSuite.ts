import { CipherSuiteId } from '../../wire/registry.ts'

/** The groups of RFC 9180's DHKEMs. */
export type KemCurve = 'X25519' | 'X448' | NistCurve
/** Edwards curves sign as RFC 8032 says; on NIST curves it is ECDSA with DER signatures. */
export type SignatureCurve = 'Ed25519' | 'Ed448' | NistCurve
export type NistCurve = 'P-256' | 'P-384' | 'P-521'
export type HashName = 'SHA-256' | 'SHA-384' | 'SHA-512'
export type AeadName = 'AES-128-GCM' | 'AES-256-GCM' | 'ChaCha20-Poly1305'

/** What RFC 9420 §17.1 fixes for a cipher suite. Sizes in bytes, under RFC 9180's names. */
export interface CipherSuite {
  readonly id: CipherSuiteId
  readonly kem: KemCurve
  /** Of the suite and of its KDF, of HPKE's KDF too. */
  readonly hash: HashName
  readonly aead: AeadName
  readonly signature: SignatureCurve
  /** Output of the hash and of Extract (KDF.Nh). */
  readonly Nh: number
  /** AEAD key. */
  readonly Nk: number
  /** AEAD nonce. */
  readonly Nn: number
  /** KEM private key. */
  readonly Nsk: number
  /** KEM public key, and KEM output (Nenc). */
  readonly Npk: number
}

/** On which curves keys are points and scalars, and signatures ECDSA's. */
export function isNist(curve: KemCurve | SignatureCurve): curve is NistCurve {
  return curve === 'P-256' || curve === 'P-384' || curve === 'P-521'
}

/** What each curve's ECDSA signs a digest of (RFC 9420 §17.1). */
export const ecdsaHash = {
  'P-256': 'SHA-256',
  'P-384': 'SHA-384',
  'P-521': 'SHA-512',
} as const satisfies Record<NistCurve, HashName>

/** Sizes of a curve's keys in bytes. NIST public keys are uncompressed points. */
export const curveSizes = {
  X25519: { privateKey: 32, publicKey: 32 },
  X448: { privateKey: 56, publicKey: 56 },
  Ed25519: { privateKey: 32, publicKey: 32 },
  Ed448: { privateKey: 57, publicKey: 57 },
  'P-256': { privateKey: 32, publicKey: 65 },
  'P-384': { privateKey: 48, publicKey: 97 },
  'P-521': { privateKey: 66, publicKey: 133 },
} as const satisfies Record<KemCurve | SignatureCurve, { privateKey: number; publicKey: number }>

const hashSizes = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 } as const
const aeadKeySizes = { 'AES-128-GCM': 16, 'AES-256-GCM': 32, 'ChaCha20-Poly1305': 32 } as const

function defined(
  id: CipherSuiteId,
  kem: KemCurve,
  aead: AeadName,
  hash: HashName,
  signature: SignatureCurve,
): [number, CipherSuite] {
  const { privateKey: Nsk, publicKey: Npk } = curveSizes[kem]
  const sizes = { Nh: hashSizes[hash], Nk: aeadKeySizes[aead], Nn: 12, Nsk, Npk }
  return [id, { id, kem, hash, aead, signature, ...sizes }]
}

export const cipherSuites: ReadonlyMap<number, CipherSuite> = new Map<number, CipherSuite>([
  defined(
    CipherSuiteId.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
    'X25519',
    'AES-128-GCM',
    'SHA-256',
    'Ed25519',
  ),
  defined(
    CipherSuiteId.MLS_128_DHKEMP256_AES128GCM_SHA256_P256,
    'P-256',
    'AES-128-GCM',
    'SHA-256',
    'P-256',
  ),
  defined(
    CipherSuiteId.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519,
    'X25519',
    'ChaCha20-Poly1305',
    'SHA-256',
    'Ed25519',
  ),
  defined(
    CipherSuiteId.MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448,
    'X448',
    'AES-256-GCM',
    'SHA-512',
    'Ed448',
  ),
  defined(
    CipherSuiteId.MLS_256_DHKEMP521_AES256GCM_SHA512_P521,
    'P-521',
    'AES-256-GCM',
    'SHA-512',
    'P-521',
  ),
  defined(
    CipherSuiteId.MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448,
    'X448',
    'ChaCha20-Poly1305',
    'SHA-512',
    'Ed448',
  ),
  defined(
    CipherSuiteId.MLS_256_DHKEMP384_AES256GCM_SHA384_P384,
    'P-384',
    'AES-256-GCM',
    'SHA-384',
    'P-384',
  ),
])
