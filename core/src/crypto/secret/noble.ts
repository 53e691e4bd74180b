import { gcm } from '@noble/ciphers/aes.js'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { ed448, x448 } from '@noble/curves/ed448.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { type Bytes, plainBytes } from '../../codec/bytes.ts'
import type { RandomBytes } from '../../runtime.ts'
import { openFailed } from '../cryptoError.ts'
import type { CipherSuite, SignatureCurve } from '../public/cipherSuite.ts'
import { nistCurves } from '../public/nistCurves.ts'
import { noblePublicPlatform } from '../public/noble.ts'
import { assembleCrypto } from './assemble.ts'
import type { DhGroup } from './hpke.ts'
import { nobleKdf } from './kdf.ts'
import type { Secret } from './secret.ts'
import type { SecretCrypto, SecretSuite } from './secretSuite.ts'
import type { Signer } from './sign.ts'

/** Every suite in pure JavaScript, by noble: slow, and everywhere. */
export function nobleCrypto(random: RandomBytes): SecretCrypto {
  return assembleCrypto({
    ...noblePublicPlatform,
    random,
    kdf: nobleKdf,
    aead: nobleAead,
    group: nobleGroup,
    signer: nobleSigner,
  })
}

export function nobleAead({ aead }: CipherSuite): Pick<SecretSuite, 'aeadSeal' | 'aeadOpen'> {
  const cipher = aead === 'ChaCha20-Poly1305' ? chacha20poly1305 : gcm
  return {
    aeadSeal: async (key, nonce, aad, plaintext) =>
      plainBytes(cipher(key.expose(), nonce, aad).encrypt(plaintext)),
    aeadOpen: async (key, nonce, aad, ciphertext) => {
      const opening = cipher(key.expose(), nonce, aad)
      try {
        return plainBytes(opening.decrypt(ciphertext))
      } catch (cause) {
        throw openFailed(cause)
      }
    },
  }
}

export function nobleGroup({ kem }: CipherSuite): DhGroup {
  if (kem === 'X25519' || kem === 'X448') {
    const curve = kem === 'X25519' ? x25519 : x448
    return {
      publicKey: (privateKey) => plainBytes(curve.getPublicKey(privateKey.expose())),
      agree: ({ privateKey }, publicKey) =>
        plainBytes(curve.getSharedSecret(privateKey.expose(), publicKey)),
    }
  }
  const curve = nistCurves[kem]
  return {
    publicKey: (privateKey) => plainBytes(curve.getPublicKey(privateKey.expose(), false)),
    // RFC 9180 §4.1: the x coordinate alone, without the prefix of a point.
    agree: ({ privateKey }, publicKey) =>
      curve.getSharedSecret(privateKey.expose(), publicKey, true).slice(1),
  }
}

/** A signer that keeps its own copy of the key. ECDSA's nonces are RFC 6979's. */
export function nobleSigner(curve: SignatureCurve, privateKey: Secret): Signer {
  const own = privateKey.copy()
  const publicKey = noblePublicKey(curve, own)
  if (curve === 'Ed25519' || curve === 'Ed448') {
    const { sign } = edwardsCurves[curve]
    return { publicKey, sign: async (message) => plainBytes(sign(message, own.expose())) }
  }
  const { sign } = nistCurves[curve]
  const options = { lowS: false, format: 'der' } as const
  return { publicKey, sign: async (message) => plainBytes(sign(message, own.expose(), options)) }
}

const edwardsCurves = { Ed25519: ed25519, Ed448: ed448 } as const

/** The public half of a signature key, as MLS serialises it (RFC 9420 §5.1.1). */
export function noblePublicKey(curve: SignatureCurve, privateKey: Secret): Bytes {
  const key = privateKey.expose()
  if (curve === 'Ed25519' || curve === 'Ed448') {
    return plainBytes(edwardsCurves[curve].getPublicKey(key))
  }
  return plainBytes(nistCurves[curve].getPublicKey(key, false))
}
