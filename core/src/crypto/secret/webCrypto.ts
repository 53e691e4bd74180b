import { plainBytes } from '../../codec/bytes.ts'
import type { RandomBytes } from '../../runtime.ts'
import { openFailed } from '../cryptoError.ts'
import { type CipherSuite, isNist, type SignatureCurve } from '../public/cipherSuite.ts'
import { nobleWhereLacking } from '../public/nobleWhereLacking.ts'
import { webPublicPlatform, webSignature } from '../public/webCrypto.ts'
import { assembleCrypto } from './assemble.ts'
import { nobleKdf } from './kdf.ts'
import { nobleAead, noblePublicKey, nobleSigner } from './noble.ts'
import { nistPkcs8, rfc8410Pkcs8 } from './pkcs8.ts'
import type { Secret } from './secret.ts'
import type { SecretCrypto, SecretSuite } from './secretSuite.ts'
import type { Signer } from './sign.ts'
import { webGroup } from './webGroup.ts'
import { webSigner } from './webSigner.ts'

/**
 * Every suite over WebCrypto, for browsers: signatures, AES-GCM and Diffie-Hellman by the platform;
 * hashes and key derivation by noble, and all that the platform lacks (X448, Ed448 and
 * ChaCha20-Poly1305 everywhere).
 */
export function webCrypto(subtle: SubtleCrypto, random: RandomBytes): SecretCrypto {
  return assembleCrypto({
    ...webPublicPlatform(subtle),
    random,
    kdf: nobleKdf,
    aead: (suite) => webAead(subtle, suite),
    group: (suite) => webGroup(subtle, suite),
    signer: (curve, privateKey) => importWebSigner(subtle, curve, privateKey),
  })
}

function webAead(
  subtle: SubtleCrypto,
  suite: CipherSuite,
): Pick<SecretSuite, 'aeadSeal' | 'aeadOpen'> {
  if (suite.aead === 'ChaCha20-Poly1305') return nobleAead(suite)
  const importKey = (key: Secret, usage: 'encrypt' | 'decrypt') =>
    subtle.importKey('raw', key.expose(), { name: 'AES-GCM' }, false, [usage])
  const gcm = (nonce: Uint8Array, aad: Uint8Array) => ({
    name: 'AES-GCM',
    iv: plainBytes(nonce),
    additionalData: plainBytes(aad),
  })
  return {
    aeadSeal: async (key, nonce, aad, plaintext) =>
      new Uint8Array(
        await subtle.encrypt(
          gcm(nonce, aad),
          await importKey(key, 'encrypt'),
          plainBytes(plaintext),
        ),
      ),
    aeadOpen: async (key, nonce, aad, ciphertext) => {
      const opening = await importKey(key, 'decrypt')
      try {
        return new Uint8Array(
          await subtle.decrypt(gcm(nonce, aad), opening, plainBytes(ciphertext)),
        )
      } catch (cause) {
        throw openFailed(cause)
      }
    },
  }
}

function importWebSigner(
  subtle: SubtleCrypto,
  curve: SignatureCurve,
  privateKey: Secret,
): Promise<Signer> {
  return nobleWhereLacking(
    curve !== 'Ed448' &&
      (async () => {
        const publicKey = noblePublicKey(curve, privateKey)
        const der = isNist(curve)
          ? nistPkcs8(curve, privateKey, publicKey)
          : rfc8410Pkcs8(curve, privateKey)
        try {
          const algorithm = webSignature(curve).key
          const key = await subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
          return webSigner(subtle, key, publicKey)
        } finally {
          der.fill(0)
        }
      }),
    () => nobleSigner(curve, privateKey),
  )
}
