import { type Clock, ConclaveError, type RandomBytes } from '@conclave/core'
import {
  type Bytes,
  concatBytes,
  decode,
  encode,
  oneOf,
  struct,
  toHex,
  uint8,
  uint64,
  utf8,
} from '@conclave/core/codec'
import { Secret, type SecretSuite, type Signer } from '@conclave/core/crypto/secret'
import { anyMeeting } from '@conclave/core/meeting'
import {
  createKeyPackage,
  type KeyPackageBundle,
  lifetimeFrom,
  restoreKeyPackage,
  storeKeyPackage,
  wipeKeyPackage,
} from '@conclave/core/mls/bootstrap'
import { LeafNodeSource } from '@conclave/core/wire'
import { encodeKeyPackage } from '../session/enterMeeting.ts'
import {
  certifiedLeaf,
  freshSignatureKey,
  type MeetingIdentity,
  signatureKeyLength,
} from '../session/identity.ts'
import { SessionError } from '../session/sessionError.ts'
import type { SessionStore } from '../session/store.ts'

/*
 * struct {
 *     uint8 version = 1;
 *     uint64 made_at;              // milliseconds since the Unix epoch
 * } ShelfMark;
 *
 * The leaf's private signature key follows it (32 bytes), and then what `storeKeyPackage` makes.
 */
const ShelfMark = struct({ version: oneOf(uint8, [1]), madeAt: uint64 })
const markLength = 9

/** How long a published KeyPackage is good, in seconds: 30 days. */
const lifetimeSeconds = 30 * 24 * 60 * 60

/** What is known of a KeyPackage on the shelf without its private keys. */
export interface ShelvedKeyPackage {
  /** Hexadecimal KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: string
  readonly lastResort: boolean
  /** Milliseconds since the Unix epoch. */
  readonly madeAt: number
  readonly expiresAt: number
  /** MLSMessage with the KeyPackage. */
  readonly encoded: Bytes
}

/** All the private keys of a KeyPackage, for whoever enters by it; theirs to wipe. */
export interface TakenKeyPackage {
  readonly bundle: KeyPackageBundle
  /** The leaf's, that `bundle.signer` signs with. */
  readonly signatureKey: Secret
}

export function wipeTaken({ bundle, signatureKey }: TakenKeyPackage): void {
  wipeKeyPackage(bundle)
  signatureKey.wipe()
}

export interface ShelfOptions {
  readonly suite: SecretSuite
  /** What the device can do (`suitesFor`). */
  readonly cipherSuites: readonly number[]
  readonly store: SessionStore
  readonly random: RandomBytes
  readonly clock: Pick<Clock, 'now'>
  readonly identity: MeetingIdentity
}

/**
 * The KeyPackages that this device has published under one identity, in the session store, with the
 * private keys that their Welcomes need. A private key leaves the shelf once: with the first Welcome
 * that is taken for it, unless the KeyPackage is a last resort.
 */
export class KeyPackageShelf {
  readonly #options: ShelfOptions
  readonly #prefix: string

  constructor(options: ShelfOptions) {
    this.#options = options
    this.#prefix = `key-package/${toHex(utf8(options.identity.id))}/`
  }

  /**
   * Makes KeyPackages and stores them in one step, before anybody gets to see them.
   * @throws SessionError `store-unavailable`
   */
  async make(
    device: Signer,
    kinds: readonly ('single-use' | 'last-resort')[],
  ): Promise<readonly ShelvedKeyPackage[]> {
    const entries = new Map<string, Bytes>()
    const made: ShelvedKeyPackage[] = []
    try {
      for (const kind of kinds) {
        const { entry, shelved } = await this.#makeOne(device, kind === 'last-resort')
        entries.set(this.#prefix + shelved.ref, entry)
        made.push(shelved)
      }
      await this.#options.store.write(entries)
    } finally {
      for (const entry of entries.values()) entry.fill(0)
    }
    return made
  }

  /**
   * What is on the shelf. An entry that cannot be read is of no use to anybody: it is deleted, and
   * `damaged` is told.
   * @throws SessionError `store-unavailable`
   */
  async contents(damaged: (error: ConclaveError) => void): Promise<readonly ShelvedKeyPackage[]> {
    const found: ShelvedKeyPackage[] = []
    for (const key of await this.#options.store.keys(this.#prefix)) {
      const ref = key.slice(this.#prefix.length)
      if (ref.includes('/')) continue
      try {
        const restored = await this.#restore(ref)
        if (restored === undefined) continue
        wipeTaken(restored.taken)
        found.push(restored.shelved)
      } catch (error) {
        if (!(error instanceof ConclaveError) || isUnavailable(error)) throw error
        await this.discard([ref])
        damaged(corrupted(error))
      }
    }
    return found
  }

  /**
   * The KeyPackage's private keys, for its Welcome to one group. Nobody gets them twice, whichever
   * tab or process asks: those of a last resort once for each group.
   * @param groupId hexadecimal
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async take(ref: string, groupId: string): Promise<TakenKeyPackage | undefined> {
    const { store, random } = this.#options
    const mark = this.#markOf(ref, groupId)
    const lot = random(16)
    const held = await store.readOrWrite(mark, lot)
    if (toHex(held) !== toHex(lot)) return undefined
    let taken: TakenKeyPackage | undefined
    try {
      taken = (await this.#restore(ref))?.taken
    } catch (error) {
      if (!(error instanceof ConclaveError) || isUnavailable(error)) throw error
      await this.discard([ref])
      throw corrupted(error)
    }
    if (taken?.bundle.lastResort !== true) await this.discard([ref])
    return taken
  }

  /**
   * Which Welcomes have been taken: hexadecimal `ref/groupId`.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async taken(): Promise<ReadonlySet<string>> {
    const keys = await this.#options.store.keys(this.#prefix)
    const rests = keys.map((key) => key.slice(this.#prefix.length))
    return new Set(rests.filter((rest) => rest.includes('/')))
  }

  /**
   * Deletes KeyPackages and all that is kept for them.
   * @throws SessionError `store-unavailable`
   */
  async discard(refs: readonly string[]): Promise<void> {
    if (refs.length === 0) return
    const { store } = this.#options
    const changes = new Map<string, undefined>()
    for (const ref of refs) {
      const key = this.#prefix + ref
      changes.set(key, undefined)
      for (const mark of await store.keys(`${key}/`)) changes.set(mark, undefined)
    }
    await store.write(changes)
  }

  #markOf(ref: string, groupId: string): string {
    return `${this.#prefix}${ref}/${groupId}`
  }

  async #makeOne(device: Signer, lastResort: boolean) {
    const { suite, random, clock, identity } = this.#options
    const signatureKey = freshSignatureKey(random)
    const signer = await suite.importSigner(signatureKey)
    const own = await certifiedLeaf({
      device,
      meetingId: anyMeeting,
      identity,
      cipherSuites: this.#options.cipherSuites,
      signer,
    })
    const lifetime = lifetimeFrom(clock, lifetimeSeconds)
    const bundle = await createKeyPackage(suite, own, lifetime, { lastResort })
    const stored = storeKeyPackage(bundle)
    const madeAt = Math.floor(clock.now())
    const mark = encode(ShelfMark, { version: 1, madeAt: BigInt(madeAt) })
    const entry = concatBytes(mark, signatureKey.expose(), stored.expose())
    for (const secret of [signatureKey, stored]) secret.wipe()
    wipeKeyPackage(bundle)
    return { entry, shelved: describe(bundle, madeAt) }
  }

  /** @throws SessionError `store-…`; another ConclaveError where the entry is something else */
  async #restore(
    ref: string,
  ): Promise<{ readonly taken: TakenKeyPackage; readonly shelved: ShelvedKeyPackage } | undefined> {
    const { store, suite } = this.#options
    const entry = await store.read(this.#prefix + ref)
    if (entry === undefined) return undefined
    const keyEnd = markLength + signatureKeyLength
    const signatureKey = new Secret(entry.slice(markLength, keyEnd))
    const stored = new Secret(entry.slice(keyEnd))
    entry.fill(0, markLength)
    try {
      const { madeAt } = decode(ShelfMark, entry.subarray(0, markLength))
      const signer = await suite.importSigner(signatureKey)
      const bundle = restoreKeyPackage(suite, stored, signer)
      const shelved = describe(bundle, Number(madeAt))
      if (shelved.ref === ref) {
        return { taken: { bundle, signatureKey: signatureKey.copy() }, shelved }
      }
      wipeKeyPackage(bundle)
      throw corrupted()
    } finally {
      signatureKey.wipe()
      stored.wipe()
    }
  }
}

function describe(bundle: KeyPackageBundle, madeAt: number): ShelvedKeyPackage {
  const { keyPackage, ref, lastResort } = bundle
  const { leafNode } = keyPackage
  const notAfter =
    leafNode.leafNodeSource === LeafNodeSource.keyPackage ? leafNode.lifetime.notAfter : 0n
  return {
    ref: toHex(ref),
    lastResort,
    madeAt,
    expiresAt: Number(notAfter) * 1000,
    encoded: encodeKeyPackage(bundle),
  }
}

function isUnavailable(error: ConclaveError): boolean {
  return error instanceof SessionError && error.code === 'store-unavailable'
}

function corrupted(cause?: ConclaveError): SessionError {
  if (cause instanceof SessionError) return cause
  return new SessionError('store-corrupted', 'a stored KeyPackage cannot be read', { cause })
}
