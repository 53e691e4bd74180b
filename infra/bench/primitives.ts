import * as nodeCrypto from 'node:crypto'
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign as signEd25519,
  verify as verifyEd25519,
} from 'node:crypto'
import { plainBytes } from '../../core/src/codec/bytes.ts'
import type { SignedBytes } from '../../core/src/crypto/public/index.ts'
import type { KemKey, Sealed } from './floorPrimitives.ts'
import { hpkeSecrets } from './hpkeSecrets.ts'

/**
 * Suite 1 by the shortest way through node:crypto that was found: synchronous, keys as JWK, secrets
 * as KeyObjects (a third of the time that bytes take).
 */

type Source = Uint8Array

interface NodeKemKey extends KemKey {
  readonly privateKey: KeyObject
}

const emptySource = new Uint8Array(0)

export function signatureKey(seed: Source): KeyObject {
  return privateJwk('Ed25519', seed)
}

export function sign(key: KeyObject, message: Source): Source {
  return signEd25519(null, message, key)
}

/** A signature public key that is met for the first time. */
export function verificationKey(publicKey: Source): KeyObject {
  return publicJwk('Ed25519', publicKey)
}

export function verify(key: KeyObject, message: Source, signature: Source): boolean {
  return verifyEd25519(null, message, key, signature)
}

export function verifyAll(groups: readonly (readonly SignedBytes[])[]): boolean {
  return groups.every((signed) => {
    const key = keyOf(signed)
    return signed.every(({ message, signature }) => verify(key, message, signature))
  })
}

/** `verifyAll` on the threads of the pool. */
export async function verifyAllPooled(
  groups: readonly (readonly SignedBytes[])[],
): Promise<boolean> {
  const verified = groups.flatMap((signed) => {
    const key = keyOf(signed)
    return signed.map(({ message, signature }) => verifyPooled(key, message, signature))
  })
  return (await Promise.all(verified)).every(Boolean)
}

function keyOf([first]: readonly SignedBytes[]): KeyObject {
  return verificationKey((first as SignedBytes).publicKey)
}

function verifyPooled(key: KeyObject, message: Source, signature: Source): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verifyEd25519(null, message, key, signature, (error, valid) =>
      error === null ? resolve(valid) : reject(error),
    )
  })
}

export function extract(salt: Source, inputKey: Source): Source {
  return createHmac('sha256', createSecretKey(salt)).update(inputKey).digest()
}

const firstBlock = Uint8Array.of(1)

export function expand(key: Source, info: Source): Source {
  return mac(key, info, firstBlock)
}

export function mac(key: Source, ...data: readonly Source[]): Source {
  const hmac = createHmac('sha256', createSecretKey(key))
  for (const part of data) hmac.update(part)
  return hmac.digest()
}

export function aeadSeal(key: Source, nonce: Source, aad: Source, plaintext: Source): Source {
  const cipher = createCipheriv('aes-128-gcm', createSecretKey(key), nonce).setAAD(aad)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

export function aeadOpen(key: Source, nonce: Source, aad: Source, ciphertext: Source): Source {
  const end = ciphertext.length - 16
  const decipher = createDecipheriv('aes-128-gcm', createSecretKey(key), nonce).setAAD(aad)
  decipher.setAuthTag(ciphertext.subarray(end))
  const opened = decipher.update(ciphertext.subarray(0, end))
  decipher.final()
  return opened
}

const { privateKey: derivePrivateKey, kemSecret, messageKey, exported } = hpkeSecrets(mac)

export function deriveKeyPair(inputKey: Source): NodeKemKey {
  const privateKey = privateJwk('X25519', derivePrivateKey(inputKey))
  return { privateKey, publicKey: publicBytes(privateKey) }
}

export function hpkeSeal(publicKey: Source, info: Source, plaintext: Source): Sealed {
  const { kemOutput, sharedSecret } = kem.encapsulate(publicKey)
  const { key, nonce } = messageKey(sharedSecret, info)
  return { kemOutput, ciphertext: aeadSeal(key, nonce, emptySource, plaintext) }
}

export function hpkeOpen(recipient: NodeKemKey, info: Source, sealed: Sealed): Source {
  const sharedSecret = kem.decapsulate(recipient, sealed.kemOutput)
  const { key, nonce } = messageKey(sharedSecret, info)
  return aeadOpen(key, nonce, emptySource, sealed.ciphertext)
}

export function hpkeSealExport(publicKey: Source, exporterContext: Source): Source {
  return exported(kem.encapsulate(publicKey).sharedSecret, exporterContext)
}

/** RFC 9180 §4.1: DHKEM(X25519, HKDF-SHA256) */
interface Kem {
  encapsulate(publicKey: Source): { kemOutput: Source; sharedSecret: Source }
  decapsulate(recipient: NodeKemKey, kemOutput: Source): Source
}

/** In one call, which Node has from 24.7 on. */
export const platformKem: Kem = {
  encapsulate: (publicKey) => {
    const { ciphertext, sharedKey } = nodeCrypto.encapsulate(publicJwk('X25519', publicKey))
    return { kemOutput: ciphertext, sharedSecret: sharedKey }
  },
  decapsulate: ({ privateKey }, kemOutput) => nodeCrypto.decapsulate(privateKey, kemOutput),
}

export const composedKem: Kem = {
  encapsulate: (recipient) => {
    const { privateKey, publicKey } = generateKeyPairSync('x25519')
    const kemOutput = publicBytes(publicKey)
    const shared = diffieHellman({ privateKey, publicKey: publicJwk('X25519', recipient) })
    return { kemOutput, sharedSecret: kemSecret(shared, kemOutput, recipient) }
  },
  decapsulate: ({ privateKey, publicKey }, kemOutput) => {
    const shared = diffieHellman({ privateKey, publicKey: publicJwk('X25519', kemOutput) })
    return kemSecret(shared, kemOutput, publicKey)
  },
}

const kem = 'encapsulate' in nodeCrypto ? platformKem : composedKem

type Curve = 'Ed25519' | 'X25519'

function publicJwk(crv: Curve, key: Source): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv, x: base64Url(key) } })
}

// The public half is not known and not looked at: it is computed from the private one.
const noPublicHalf = base64Url(new Uint8Array(32))

function privateJwk(crv: Curve, key: Source): KeyObject {
  const jwk = { kty: 'OKP', crv, d: base64Url(key), x: noPublicHalf }
  return createPrivateKey({ format: 'jwk', key: jwk })
}

function publicBytes(key: KeyObject): Source {
  return plainBytes(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}

function base64Url(bytes: Source): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
}
