import type { RandomBytes } from '@conclave/core'
import { type Bytes, concatBytes, fromUtf8, utf8 } from '@conclave/core/codec'
import { storeCorrupted } from './storeErrors.ts'

/** What the entries of one store are encrypted with; neither key can be exported. */
export interface StoreKeys {
  /** AES-256-GCM, for names and values. */
  readonly sealing: CryptoKey
  /** HMAC-SHA-256, for the ids that entries are found by. */
  readonly naming: CryptoKey
}

/** An entry as it lies in the store: a key and its value, neither to be read without the keys. */
export interface SealedEntry {
  /** HMAC-SHA-256 of the key. */
  readonly id: Bytes
  /** The key, sealed for its id: what a list of keys is made from. */
  readonly name: Bytes
  /** The value, sealed for its key. */
  readonly value: Bytes
}

const nonceLength = 12
const tagLength = 16

const nameLabel = utf8('Conclave 1.0 StoreName ')
const valueLabel = utf8('Conclave 1.0 StoreValue ')

/**
 * Seals what a store keeps, each with a random nonce of its own in front (NIST SP 800-38D §8.2.2:
 * at most 2³² under one key). A value is bound to its key and a name to its id as additional data,
 * so that nothing in the store passes for anything else in it. How long a value is, and which of
 * two states of the same entry is the newer, it does not hide and cannot tell.
 */
export class EntryCipher {
  readonly #subtle: SubtleCrypto
  readonly #random: RandomBytes
  readonly #keys: StoreKeys

  constructor(subtle: SubtleCrypto, random: RandomBytes, keys: StoreKeys) {
    this.#subtle = subtle
    this.#random = random
    this.#keys = keys
  }

  async id(key: string): Promise<Bytes> {
    return new Uint8Array(await this.#subtle.sign('HMAC', this.#keys.naming, utf8(key)))
  }

  async seal(key: string, value: Bytes): Promise<SealedEntry> {
    const id = await this.id(key)
    const [name, sealed] = await Promise.all([
      this.#seal(utf8(key), concatBytes(nameLabel, id)),
      this.sealValue(key, value),
    ])
    return { id, name, value: sealed }
  }

  sealValue(key: string, value: Bytes): Promise<Bytes> {
    return this.#seal(value, concatBytes(valueLabel, utf8(key)))
  }

  /** @throws SessionError `store-corrupted` */
  openValue(key: string, sealed: Bytes): Promise<Bytes> {
    return this.#open(sealed, concatBytes(valueLabel, utf8(key)))
  }

  /** @throws SessionError `store-corrupted` */
  async openName({ id, name }: Pick<SealedEntry, 'id' | 'name'>): Promise<string> {
    const key = fromUtf8(await this.#open(name, concatBytes(nameLabel, id)))
    if (key === undefined) throw storeCorrupted('a key in it is no text')
    return key
  }

  async #seal(plaintext: Bytes, additionalData: Bytes): Promise<Bytes> {
    const nonce = this.#random(nonceLength)
    const algorithm = { name: 'AES-GCM', iv: nonce, additionalData, tagLength: 8 * tagLength }
    const sealed = await this.#subtle.encrypt(algorithm, this.#keys.sealing, plaintext)
    return concatBytes(nonce, new Uint8Array(sealed))
  }

  async #open(sealed: Bytes, additionalData: Bytes): Promise<Bytes> {
    const iv = sealed.subarray(0, nonceLength)
    const algorithm = { name: 'AES-GCM', iv, additionalData, tagLength: 8 * tagLength }
    try {
      const { sealing } = this.#keys
      const opened = await this.#subtle.decrypt(algorithm, sealing, sealed.subarray(nonceLength))
      return new Uint8Array(opened)
    } catch (cause) {
      throw storeCorrupted('an entry was changed, or encrypted with another key', cause)
    }
  }
}
