import { type Bytes, emptyBytes, plainBytes } from '../../codec/bytes.ts'
import type { CipherSuite, NistCurve } from '../public/cipherSuite.ts'
import { nobleWhereLacking } from '../public/nobleWhereLacking.ts'
import type { DhGroup } from './hpke.ts'
import { KeyCache } from './keyCache.ts'
import { nobleGroup } from './noble.ts'
import { nistPkcs8, rfc8410Pkcs8 } from './pkcs8.ts'
import type { Secret } from './secret.ts'
import type { HpkeKeyPair } from './secretSuite.ts'

/** Diffie-Hellman by WebCrypto; by noble where the browser lacks the curve, as all lack X448. */
export function webGroup(subtle: SubtleCrypto, suite: CipherSuite): DhGroup {
  const portable = nobleGroup(suite)
  const { kem } = suite
  if (kem === 'X448') return portable
  const { publicKey, agree } = nativeGroup(subtle, kem)
  return {
    publicKey: (privateKey) =>
      nobleWhereLacking(publicKey && (() => publicKey(privateKey)), () =>
        portable.publicKey(privateKey),
      ),
    agree: (key, peer) =>
      nobleWhereLacking(
        () => agree(key, peer),
        () => portable.agree(key, peer),
      ),
  }
}

const basePoint = Uint8Array.of(9, ...new Uint8Array(31))
/** Bits of a shared coordinate: WebCrypto counts P-521's in whole bytes. */
const sharedBits = { X25519: 256, 'P-256': 256, 'P-384': 384, 'P-521': 528 } as const

/**
 * Of the WICG's "Modern Algorithms in the Web Cryptography API", which Chromium has, and TypeScript's
 * library has not: the public half that an import has computed. Node has it, too, and warns on first
 * use that it is experimental.
 */
interface PublicHalves extends SubtleCrypto {
  getPublicKey?(key: CryptoKey, usages: readonly KeyUsage[]): Promise<CryptoKey>
}

function nativeGroup(subtle: SubtleCrypto, kem: 'X25519' | NistCurve) {
  const name = kem === 'X25519' ? kem : 'ECDH'
  const algorithm = kem === 'X25519' ? { name } : { name, namedCurve: kem }
  const privateKeys = new KeyCache<Promise<CryptoKey>>()
  const importPrivate = async ({ privateKey, publicKey }: HpkeKeyPair) => {
    const der =
      kem === 'X25519' ? rfc8410Pkcs8(kem, privateKey) : nistPkcs8(kem, privateKey, publicKey)
    try {
      return await subtle.importKey('pkcs8', der, algorithm, false, ['deriveBits'])
    } finally {
      der.fill(0)
    }
  }
  const imported = (own: HpkeKeyPair) => privateKeys.get(own.privateKey, () => importPrivate(own))
  const agree = async (own: HpkeKeyPair, peer: Uint8Array): Promise<Bytes> => {
    const key = await imported(own)
    const publicKey = await subtle.importKey('raw', plainBytes(peer), algorithm, false, [])
    return new Uint8Array(
      await subtle.deriveBits({ name, public: publicKey }, key, sharedBits[kem]),
    )
  }
  const publicKeyX25519 = async (privateKey: Secret): Promise<Bytes> => {
    const own = { privateKey, publicKey: emptyBytes }
    const key = await imported(own)
    const platform: PublicHalves = subtle
    // Where the platform does not tell it, it is what the key shares with the base point.
    if (platform.getPublicKey === undefined) return agree(own, basePoint)
    return new Uint8Array(await subtle.exportKey('raw', await platform.getPublicKey(key, [])))
  }
  // On NIST curves noble's multiples of the base point are fast enough.
  return { agree, publicKey: kem === 'X25519' && publicKeyX25519 }
}
