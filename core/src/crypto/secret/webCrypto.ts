import { Aes128Gcm, DhkemX25519HkdfSha256, HkdfSha256, CipherSuite as Hpke } from '@hpke/core'
import { expand, extract } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { emptyBytes, plainBytes } from '../../codec/bytes.ts'
import type { RandomBytes } from '../../runtime.ts'
import { CryptoError } from '../cryptoError.ts'
import { type CipherSuite, cipherSuites } from '../public/cipherSuite.ts'
import { webPublicCrypto, webPublicSuite } from '../public/webCrypto.ts'
import { Secret } from './secret.ts'
import type { SecretCrypto, SecretSuite } from './secretSuite.ts'
import { importEd25519Signer } from './webSigner.ts'

/** WebCrypto for signatures and AEAD, @hpke/core for HPKE, noble for hashes and key derivation. */
export function webCrypto(subtle: SubtleCrypto, random: RandomBytes): SecretCrypto {
  return {
    ...webPublicCrypto(subtle),
    secretSuite: (id) => {
      const suite = cipherSuites.get(id)
      return suite && webSecretSuite(suite, subtle, random)
    },
  }
}

function webSecretSuite(
  suite: CipherSuite,
  subtle: SubtleCrypto,
  random: RandomBytes,
): SecretSuite {
  const hpke = new Hpke({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Aes128Gcm(),
  })
  const gcmKey = (key: Secret, usage: 'encrypt' | 'decrypt') =>
    subtle.importKey('raw', key.expose(), { name: 'AES-GCM' }, false, [usage])
  const gcm = (nonce: Uint8Array, aad: Uint8Array) => ({
    name: 'AES-GCM',
    iv: plainBytes(nonce),
    additionalData: plainBytes(aad),
  })
  const importSigner = (privateKey: Secret) => importEd25519Signer(subtle, privateKey)

  return {
    ...webPublicSuite(suite, subtle),
    extract: (salt, inputKey) => plainBytes(extract(sha256, inputKey, salt)),
    expand: (key, info, length) => plainBytes(expand(sha256, key, info, length)),
    mac: (key, data) => plainBytes(hmac(sha256, key, data)),
    aeadSeal: async (key, nonce, aad, plaintext) =>
      new Uint8Array(
        await subtle.encrypt(gcm(nonce, aad), await gcmKey(key, 'encrypt'), plainBytes(plaintext)),
      ),
    aeadOpen: async (key, nonce, aad, ciphertext) => {
      const opening = await gcmKey(key, 'decrypt')
      try {
        return new Uint8Array(
          await subtle.decrypt(gcm(nonce, aad), opening, plainBytes(ciphertext)),
        )
      } catch (cause) {
        throw openFailed(cause)
      }
    },
    deriveKeyPair: async (inputKey) => {
      const pair = await hpke.kem.deriveKeyPair(inputKey.expose())
      return {
        privateKey: new Secret(new Uint8Array(await hpke.kem.serializePrivateKey(pair.privateKey))),
        publicKey: new Uint8Array(await hpke.kem.serializePublicKey(pair.publicKey)),
      }
    },
    hpkeSeal: async (publicKey, info, plaintext) => {
      // The ephemeral key comes from the injected randomness, so that a run can be replayed.
      const ephemeral = random(suite.Nsk)
      try {
        const recipientPublicKey = await hpke.kem.deserializePublicKey(plainBytes(publicKey))
        const sealed = await hpke.seal(
          { recipientPublicKey, info, ekm: ephemeral },
          plainBytes(plaintext),
          emptyBytes,
        )
        return { kemOutput: new Uint8Array(sealed.enc), ciphertext: new Uint8Array(sealed.ct) }
      } catch (cause) {
        throw new CryptoError('crypto-invalid-key', 'the public key cannot be sealed to', { cause })
      } finally {
        ephemeral.fill(0)
      }
    },
    hpkeOpen: async ({ privateKey }, info, { kemOutput, ciphertext }) => {
      const serialized = privateKey.expose()
      try {
        const recipientKey = await hpke.kem.deserializePrivateKey(serialized)
        return new Uint8Array(
          await hpke.open({ recipientKey, enc: kemOutput, info }, ciphertext, emptyBytes),
        )
      } catch (cause) {
        throw openFailed(cause)
      }
    },
    hpkeSealExport: async (publicKey, info, exporterContext, length) => {
      const ephemeral = random(suite.Nsk)
      try {
        const recipientPublicKey = await hpke.kem.deserializePublicKey(plainBytes(publicKey))
        const context = await hpke.createSenderContext({ recipientPublicKey, info, ekm: ephemeral })
        return {
          kemOutput: new Uint8Array(context.enc),
          exported: new Secret(new Uint8Array(await context.export(exporterContext, length))),
        }
      } catch (cause) {
        throw new CryptoError('crypto-invalid-key', 'the public key cannot be sealed to', { cause })
      } finally {
        ephemeral.fill(0)
      }
    },
    hpkeOpenExport: async ({ privateKey }, kemOutput, info, exporterContext, length) => {
      const serialized = privateKey.expose()
      try {
        const recipientKey = await hpke.kem.deserializePrivateKey(serialized)
        const context = await hpke.createRecipientContext({
          recipientKey,
          enc: plainBytes(kemOutput),
          info,
        })
        return new Secret(new Uint8Array(await context.export(exporterContext, length)))
      } catch (cause) {
        throw openFailed(cause)
      }
    },
    generateSigner: async () => {
      const seed = new Secret(random(32))
      try {
        return await importSigner(seed)
      } finally {
        seed.wipe()
      }
    },
    importSigner,
    random,
  }
}

function openFailed(cause: unknown): CryptoError {
  return new CryptoError('crypto-open-failed', 'the ciphertext did not authenticate', { cause })
}
