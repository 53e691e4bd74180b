import { ed25519 } from '@noble/curves/ed25519.js'
import { type Bytes, concatBytes, plainBytes } from '../../codec/bytes.ts'
import { CryptoError } from '../cryptoError.ts'
import type { Secret } from './secret.ts'
import type { Signer } from './sign.ts'

/** RFC 8410: the PrivateKeyInfo header of an Ed25519 key; WebCrypto imports no raw private keys. */
const pkcs8Header = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  0x70,
  0x04,
  0x22,
  0x04,
  0x20,
)

/** A signer over a CryptoKey, which may be non-extractable. `publicKey` is the raw Ed25519 key. */
export function webSigner(subtle: SubtleCrypto, privateKey: CryptoKey, publicKey: Bytes): Signer {
  return {
    publicKey,
    sign: async (message) =>
      new Uint8Array(await subtle.sign({ name: 'Ed25519' }, privateKey, message)),
  }
}

/**
 * A signer for a raw Ed25519 private key.
 * @throws CryptoError `crypto-invalid-key` unless it has 32 bytes.
 */
export async function importEd25519Signer(
  subtle: SubtleCrypto,
  privateKey: Secret,
): Promise<Signer> {
  if (privateKey.length !== 32) {
    throw new CryptoError('crypto-invalid-key', 'an Ed25519 private key has 32 bytes')
  }
  const pkcs8 = concatBytes(pkcs8Header, privateKey.expose())
  try {
    const key = await subtle.importKey('pkcs8', pkcs8, { name: 'Ed25519' }, false, ['sign'])
    return webSigner(subtle, key, plainBytes(ed25519.getPublicKey(privateKey.expose())))
  } finally {
    pkcs8.fill(0)
  }
}
