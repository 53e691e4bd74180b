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
import { concatBytes, plainBytes, utf8 } from '../../core/src/codec/bytes.ts'

/**
 * Suite 1 by the shortest way through node:crypto that was found: synchronous, keys as JWK, secrets
 * as KeyObjects (a third of the time that bytes take). Nothing is shared with core's providers, so
 * that the floor does not rise when they become slower.
 */

type Source = Uint8Array

export interface KemKey {
  readonly privateKey: KeyObject
  readonly publicKey: Source
}

export interface Sealed {
  readonly kemOutput: Source
  readonly ciphertext: Source
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

/** `verify` on the threads of the pool. */
export function verifyPooled(key: KeyObject, message: Source, signature: Source): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verifyEd25519(null, message, key, signature, (error, valid) =>
      error === null ? resolve(valid) : reject(error),
    )
  })
}

/** HKDF-Extract */
export function extract(salt: Source, inputKey: Source): Source {
  return createHmac('sha256', createSecretKey(salt)).update(inputKey).digest()
}

const firstBlock = Uint8Array.of(1)

/** HKDF-Expand for at most 32 bytes. */
export function expand(key: Source, info: Source, length = 32): Source {
  const block = mac(key, info, firstBlock)
  return block.subarray(0, length)
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

/** RFC 9180 §7.1.3 */
export function deriveKeyPair(inputKey: Source): KemKey {
  const secret = labeledExtract(kemSuite, emptySource, 'dkp_prk', inputKey)
  const privateKey = privateJwk('X25519', labeledExpand(kemSuite, secret, 'sk', emptySource))
  return { privateKey, publicKey: publicBytes(privateKey) }
}

/** RFC 9180 §6.1, base mode */
export function hpkeSeal(publicKey: Source, info: Source, plaintext: Source): Sealed {
  const { kemOutput, sharedSecret } = kem.encapsulate(publicKey)
  const { key, nonce } = keySchedule(sharedSecret, info)
  return { kemOutput, ciphertext: aeadSeal(key, nonce, emptySource, plaintext) }
}

export function hpkeOpen(recipient: KemKey, info: Source, sealed: Sealed): Source {
  const sharedSecret = kem.decapsulate(recipient, sealed.kemOutput)
  const { key, nonce } = keySchedule(sharedSecret, info)
  return aeadOpen(key, nonce, emptySource, sealed.ciphertext)
}

/** RFC 9420 §8.3: what an external committer agrees on with the group. */
export function hpkeSealExport(publicKey: Source, exporterContext: Source): Source {
  const { sharedSecret } = kem.encapsulate(publicKey)
  const context = keyScheduleContext(emptySource)
  const secret = labeledExtract(hpkeSuite, sharedSecret, 'secret', emptySource)
  const exporterSecret = labeledExpand(hpkeSuite, secret, 'exp', context)
  return labeledExpand(hpkeSuite, exporterSecret, 'sec', exporterContext)
}

const kemSuite = concatBytes(utf8('KEM'), Uint8Array.of(0, 0x20))
const hpkeSuite = concatBytes(utf8('HPKE'), Uint8Array.of(0, 0x20, 0, 1, 0, 1))
const hpkeVersion = utf8('HPKE-v1')

/** RFC 9180 §4.1: DHKEM(X25519, HKDF-SHA256) */
interface Kem {
  encapsulate(publicKey: Source): { kemOutput: Source; sharedSecret: Source }
  decapsulate(recipient: KemKey, kemOutput: Source): Source
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

function kemSecret(shared: Source, kemOutput: Source, publicKey: Source): Source {
  const secret = labeledExtract(kemSuite, emptySource, 'eae_prk', shared)
  return labeledExpand(kemSuite, secret, 'shared_secret', concatBytes(kemOutput, publicKey))
}

function keySchedule(sharedSecret: Source, info: Source): { key: Source; nonce: Source } {
  const context = keyScheduleContext(info)
  const secret = labeledExtract(hpkeSuite, sharedSecret, 'secret', emptySource)
  return {
    key: labeledExpand(hpkeSuite, secret, 'key', context, 16),
    nonce: labeledExpand(hpkeSuite, secret, 'base_nonce', context, 12),
  }
}

/** The same for every message in base mode. */
const pskIdHash = labeledExtract(hpkeSuite, emptySource, 'psk_id_hash', emptySource)

function keyScheduleContext(info: Source): Source {
  const infoHash = labeledExtract(hpkeSuite, emptySource, 'info_hash', info)
  return concatBytes(Uint8Array.of(0), pskIdHash, infoHash)
}

function labeledExtract(suite: Source, salt: Source, label: string, inputKey: Source): Source {
  return mac(salt, hpkeVersion, suite, utf8(label), inputKey)
}

function labeledExpand(
  suite: Source,
  key: Source,
  label: string,
  info: Source,
  length = 32,
): Source {
  const head = Uint8Array.of(0, length)
  return expand(key, concatBytes(head, hpkeVersion, suite, utf8(label), info), length)
}

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
