import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type Bytes, concatBytes, fromHex, plainBytes } from '../../core/src/codec/bytes.ts'
import type { SignedBytes } from '../../core/src/crypto/public/index.ts'
import type { KemKey, Sealed } from './floorPrimitives.ts'
import { hpkeSecrets } from './hpkeSecrets.ts'

/**
 * Suite 1 by the shortest way through a browser that was found: signatures, X25519 and AES-GCM by
 * WebCrypto, many at once where there are many; HMAC by noble, since a key that is used once takes
 * WebCrypto as long to import and longer to come back.
 */

type Source = Uint8Array

interface WebKemKey extends KemKey {
  readonly privateKey: CryptoKey
}

const { subtle } = crypto
const emptySource = new Uint8Array(0)

export function signatureKey(seed: Source): Promise<CryptoKey> {
  return importPkcs8(ed25519Header, seed, 'Ed25519', 'sign')
}

export async function sign(key: CryptoKey, message: Source): Promise<Source> {
  return new Uint8Array(await subtle.sign('Ed25519', key, plainBytes(message)))
}

export function verificationKey(publicKey: Source): Promise<CryptoKey> {
  return subtle.importKey('raw', plainBytes(publicKey), 'Ed25519', false, ['verify'])
}

export function verify(key: CryptoKey, message: Source, signature: Source): Promise<boolean> {
  return subtle.verify('Ed25519', key, plainBytes(signature), plainBytes(message))
}

export async function verifyAll(groups: readonly (readonly SignedBytes[])[]): Promise<boolean> {
  const verified = await Promise.all(groups.map(verifyGroup))
  return verified.every(Boolean)
}

async function verifyGroup(signed: readonly SignedBytes[]): Promise<boolean> {
  const key = await verificationKey((signed[0] as SignedBytes).publicKey)
  const verified = await Promise.all(
    signed.map(({ message, signature }) => verify(key, message, signature)),
  )
  return verified.every(Boolean)
}

export function extract(salt: Source, inputKey: Source): Source {
  return mac(salt, inputKey)
}

const firstBlock = Uint8Array.of(1)

export function expand(key: Source, info: Source): Source {
  return mac(key, info, firstBlock)
}

export function mac(key: Source, ...data: readonly Source[]): Source {
  const [first, ...others] = data
  if (first !== undefined && others.length === 0) return hmac(sha256, key, first)
  const hashed = hmac.create(sha256, key)
  for (const part of data) hashed.update(part)
  return hashed.digest()
}

export async function aeadSeal(
  key: Source,
  nonce: Source,
  aad: Source,
  plaintext: Source,
): Promise<Source> {
  const sealing = await importAead(key, 'encrypt')
  return new Uint8Array(await subtle.encrypt(gcm(nonce, aad), sealing, plainBytes(plaintext)))
}

export async function aeadOpen(
  key: Source,
  nonce: Source,
  aad: Source,
  ciphertext: Source,
): Promise<Source> {
  const opening = await importAead(key, 'decrypt')
  return new Uint8Array(await subtle.decrypt(gcm(nonce, aad), opening, plainBytes(ciphertext)))
}

const { privateKey: derivePrivateKey, kemSecret, messageKey, exported } = hpkeSecrets(mac)

export async function deriveKeyPair(inputKey: Source): Promise<WebKemKey> {
  const privateKey = await importX25519(derivePrivateKey(inputKey))
  return { privateKey, publicKey: await publicBytes(privateKey) }
}

export async function hpkeSeal(
  publicKey: Source,
  info: Source,
  plaintext: Source,
): Promise<Sealed> {
  const { kemOutput, sharedSecret } = await encapsulate(publicKey)
  const { key, nonce } = messageKey(sharedSecret, info)
  return { kemOutput, ciphertext: await aeadSeal(key, nonce, emptySource, plaintext) }
}

export async function hpkeOpen(
  { privateKey, publicKey }: WebKemKey,
  info: Source,
  { kemOutput, ciphertext }: Sealed,
): Promise<Source> {
  const sharedSecret = kemSecret(await agree(privateKey, kemOutput), kemOutput, publicKey)
  const { key, nonce } = messageKey(sharedSecret, info)
  return aeadOpen(key, nonce, emptySource, ciphertext)
}

export async function hpkeSealExport(publicKey: Source, exporterContext: Source): Promise<Source> {
  return exported((await encapsulate(publicKey)).sharedSecret, exporterContext)
}

/** An import costs less than half of what `generateKey` does. */
async function encapsulate(recipient: Source) {
  const privateKey = await importX25519(crypto.getRandomValues(new Uint8Array(32)))
  const [kemOutput, shared] = await Promise.all([
    publicBytes(privateKey),
    agree(privateKey, recipient),
  ])
  return { kemOutput, sharedSecret: kemSecret(shared, kemOutput, recipient) }
}

async function agree(privateKey: CryptoKey, peer: Source): Promise<Source> {
  const publicKey = await importX25519Public(peer)
  return new Uint8Array(
    await subtle.deriveBits({ name: 'X25519', public: publicKey }, privateKey, 256),
  )
}

function importAead(key: Source, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> {
  return subtle.importKey('raw', plainBytes(key), 'AES-GCM', false, [usage])
}

function gcm(nonce: Source, aad: Source): AesGcmParams {
  return { name: 'AES-GCM', iv: plainBytes(nonce), additionalData: plainBytes(aad) }
}

function importX25519(privateKey: Source): Promise<CryptoKey> {
  return importPkcs8(x25519Header, privateKey, 'X25519', 'deriveBits')
}

function importX25519Public(publicKey: Source): Promise<CryptoKey> {
  return subtle.importKey('raw', plainBytes(publicKey), 'X25519', false, [])
}

/** RFC 8410 §7: what precedes the key. */
const ed25519Header = fromHex('302e020100300506032b657004220420')
const x25519Header = fromHex('302e020100300506032b656e04220420')

function importPkcs8(
  header: Bytes,
  key: Source,
  algorithm: string,
  usage: KeyUsage,
): Promise<CryptoKey> {
  return subtle.importKey('pkcs8', concatBytes(header, key), algorithm, false, [usage])
}

/** Of the WICG's "Modern Algorithms", which TypeScript does not know yet. */
interface PublicKeys extends SubtleCrypto {
  getPublicKey?(key: CryptoKey, usages: readonly KeyUsage[]): Promise<CryptoKey>
}

const platform: PublicKeys = subtle
const basePoint = Uint8Array.of(9, ...new Uint8Array(31))

/** Without `getPublicKey` it takes a multiplication. */
async function publicBytes(privateKey: CryptoKey): Promise<Source> {
  if (platform.getPublicKey === undefined) return agree(privateKey, basePoint)
  const publicKey = await platform.getPublicKey(privateKey, [])
  return new Uint8Array(await subtle.exportKey('raw', publicKey))
}
