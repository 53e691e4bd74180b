import { CipherSuiteId } from '../../wire/registry.ts'

/** What RFC 9420 §17.1 fixes for a cipher suite. Sizes in bytes, under RFC 9180's names. */
export interface CipherSuite {
  readonly id: CipherSuiteId
  readonly kem: 'X25519'
  readonly hash: 'SHA-256'
  readonly aead: 'AES-128-GCM'
  readonly signature: 'Ed25519'
  /** Output of the hash and of Extract (KDF.Nh). */
  readonly Nh: number
  /** AEAD key. */
  readonly Nk: number
  /** AEAD nonce. */
  readonly Nn: number
  /** KEM private key. */
  readonly Nsk: number
}

export const cipherSuites: ReadonlyMap<number, CipherSuite> = new Map<number, CipherSuite>([
  [
    CipherSuiteId.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
    {
      id: CipherSuiteId.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
      kem: 'X25519',
      hash: 'SHA-256',
      aead: 'AES-128-GCM',
      signature: 'Ed25519',
      Nh: 32,
      Nk: 16,
      Nn: 12,
      Nsk: 32,
    },
  ],
])
