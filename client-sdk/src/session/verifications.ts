import { emptyBytes, encode, opaque, struct, toHex, utf8 } from '@conclave/core/codec'
import type { PublicSuite } from '@conclave/core/crypto/public'
import { deviceFingerprint } from './fingerprint.ts'
import { isSameDevice, type NamedDevice, type Standing } from './roster.ts'
import type { SessionStore } from './store.ts'

const prefix = 'verified/'

const LabelledIdentity = struct({ label: opaque(), identity: opaque() })
const identityLabel = utf8('Conclave 1.0 VerifiedIdentity')

/**
 * Which devices the user has verified, in any meeting: kept in the session store, each under a key
 * that says all, by hashes of our own device, of their identity, and of their device. Another
 * device key of ours, or another identity of the user's, begins with none.
 */
export class Verifications {
  readonly #store: SessionStore
  readonly #crypto: Pick<PublicSuite, 'hash'>
  readonly #verified = new Set<string>()
  /** How many devices are verified, by what their keys have in common. */
  readonly #ofIdentity = new Map<string, number>()

  constructor(store: SessionStore, crypto: Pick<PublicSuite, 'hash'>) {
    this.#store = store
    this.#crypto = crypto
  }

  /** @throws SessionError `store-corrupted`, `store-unavailable` */
  async load(): Promise<void> {
    for (const key of await this.#store.keys(prefix)) this.#note(key)
  }

  readonly standingOf = (own: NamedDevice, device: NamedDevice): Standing => {
    if (isSameDevice(own, device)) return { verified: true, deviceChanged: false }
    // Whoever verifies nobody pays for no hashes.
    if (this.#verified.size === 0) return { verified: false, deviceChanged: false }
    const { ofIdentity, key } = this.#keys(own, device)
    const verified = this.#verified.has(key)
    return { verified, deviceChanged: !verified && this.#ofIdentity.has(ofIdentity) }
  }

  /**
   * Takes effect once it is stored; other tabs see it when they next join.
   * @throws SessionError `store-unavailable`
   */
  async add(own: NamedDevice, device: NamedDevice): Promise<void> {
    const { key } = this.#keys(own, device)
    await this.#store.write(new Map([[key, emptyBytes]]))
    this.#note(key)
  }

  /** @throws SessionError `store-unavailable` */
  async remove(own: NamedDevice, device: NamedDevice): Promise<void> {
    const { ofIdentity, key } = this.#keys(own, device)
    await this.#store.write(new Map([[key, undefined]]))
    if (!this.#verified.delete(key)) return
    const left = (this.#ofIdentity.get(ofIdentity) ?? 0) - 1
    if (left > 0) this.#ofIdentity.set(ofIdentity, left)
    else this.#ofIdentity.delete(ofIdentity)
  }

  #note(key: string): void {
    if (this.#verified.has(key)) return
    this.#verified.add(key)
    const ofIdentity = key.slice(0, key.lastIndexOf('/'))
    this.#ofIdentity.set(ofIdentity, (this.#ofIdentity.get(ofIdentity) ?? 0) + 1)
  }

  #keys(own: NamedDevice, device: NamedDevice): { ofIdentity: string; key: string } {
    const crypto = this.#crypto
    const labelled = { label: identityLabel, identity: utf8(device.identity) }
    const identityHash = crypto.hash(encode(LabelledIdentity, labelled))
    const ownHash = deviceFingerprint(crypto, own)
    const ofIdentity = `${prefix}${toHex(ownHash)}/${toHex(identityHash)}`
    return { ofIdentity, key: `${ofIdentity}/${toHex(deviceFingerprint(crypto, device))}` }
  }
}
