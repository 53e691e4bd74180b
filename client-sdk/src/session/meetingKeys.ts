import { type Bytes, CodecError, decode, emptyBytes, encode, uint32 } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import { MlsError } from '@conclave/core/mls/public'
import { BASE_KEY_EXPORTER_LABEL } from '@conclave/core/sframe'
import { type EpochKeys, type FrameCryptor, MediaError } from '../media/index.ts'
import { SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/** AEAD.Nk of AES_128_GCM_SHA256_128, the meeting's SFrame cipher suite. */
const baseKeyLength = 16

const incarnationKey = 'incarnation'

export interface MeetingKeysOptions {
  /** For what belongs to our place in the meeting, once we are in. */
  readonly store: () => SessionStore
  readonly createFrameCryptor: () => FrameCryptor
  /** The group of the current epoch; undefined once the session has ended. */
  readonly currentGroup: () => Group | undefined
}

interface MadeCryptor {
  readonly cryptor: FrameCryptor
  readonly incarnation: number
}

/** Hands each epoch's media key to the frame cryptor, which is made when media is first protected. */
export class MeetingKeys {
  readonly #options: MeetingKeysOptions
  #making: Promise<FrameCryptor> | undefined
  #made: MadeCryptor | undefined
  /** Waits for the epoch that is about to begin. */
  #takeNext: ((keys: EpochKeys) => void) | undefined
  #closed = false

  constructor(options: MeetingKeysOptions) {
    this.#options = options
  }

  /** @throws SessionError `session-ended`, `store-corrupted`, MediaError `media-unsupported-platform` */
  async cryptor(): Promise<FrameCryptor> {
    this.#making ??= this.#make()
    const making = this.#making
    try {
      return await making
    } catch (error) {
      // The next caller tries again.
      if (this.#making === making) this.#making = undefined
      throw error
    }
  }

  /** The cryptor, where media has been protected already. */
  get madeCryptor(): FrameCryptor | undefined {
    return this.#made?.cryptor
  }

  /** @param removed leaves whose members are gone, also where others have taken them */
  epochBegan(group: Group, removed: readonly number[]): void {
    if (this.#made === undefined || this.#closed) return
    if (!this.#takenUp(this.#made, group)) install(this.#made, group, removed)
  }

  /**
   * The meeting has another group, whose epochs count anew.
   * @param leaves whose leaf in the old group is which in the new one
   */
  continued(group: Group, leaves: ReadonlyMap<number, number>): void {
    if (this.#made === undefined || this.#closed) return
    if (!this.#takenUp(this.#made, group)) install(this.#made, group, [], leaves)
  }

  /**
   * Whoever encrypts frames has lost its keys: it gets the newest epoch's under a new incarnation.
   * @returns the epoch whose replays it can no longer tell; undefined where there is none
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async renew(take: (keys: EpochKeys) => void): Promise<bigint | undefined> {
    const { store, currentGroup } = this.#options
    const made = this.#made
    if (made === undefined || this.#closed) return undefined
    const incarnation = await nextIncarnation(store())
    const group = this.#closed ? undefined : currentGroup()
    if (group === undefined || this.#made !== made) return undefined
    this.#made = { ...made, incarnation }
    try {
      take(epochKeys(group, [], incarnation))
      return group.epoch
    } catch (error) {
      if (!(error instanceof MlsError) || error.code !== 'group-superseded') throw error
      this.#takeNext = take
      return undefined
    }
  }

  close(): void {
    this.#closed = true
    this.#made?.cryptor.close()
  }

  #takenUp({ incarnation }: MadeCryptor, group: Group): boolean {
    const take = this.#takeNext
    this.#takeNext = undefined
    take?.(epochKeys(group, [], incarnation))
    return take !== undefined
  }

  async #make(): Promise<FrameCryptor> {
    const { store, createFrameCryptor, currentGroup } = this.#options
    if (this.#closed || currentGroup() === undefined) throw ended()
    const incarnation = await nextIncarnation(store())
    // Epochs may have gone by meanwhile; the cryptor begins with the newest.
    const newest = this.#closed ? undefined : currentGroup()
    if (newest === undefined) throw ended()
    const made = { cryptor: createFrameCryptor(), incarnation }
    this.#made = made
    try {
      install(made, newest, [])
    } catch (error) {
      // A commit has just ended this epoch: the next one is about to be installed.
      if (error instanceof MlsError && error.code === 'group-superseded') return made.cryptor
      this.#made = undefined
      made.cryptor.close()
      throw error
    }
    return made.cryptor
  }
}

/** A cryptor that has failed has said so itself; the meeting goes on without media. */
function install(
  { cryptor, incarnation }: MadeCryptor,
  group: Group,
  removed: readonly number[],
  continues?: ReadonlyMap<number, number>,
): void {
  const keys = { ...epochKeys(group, removed, incarnation), ...(continues && { continues }) }
  try {
    cryptor.installEpoch(keys)
  } catch (error) {
    keys.baseKey.fill(0)
    if (!(error instanceof MediaError)) throw error
  }
}

/** RFC 9605 §5.2 */
function epochKeys(group: Group, removed: readonly number[], incarnation: number): EpochKeys {
  const exported = group.exportSecret(BASE_KEY_EXPORTER_LABEL, emptyBytes, baseKeyLength)
  const baseKey = exported.expose().slice()
  exported.wipe()
  return {
    epoch: group.epoch,
    baseKey,
    ownLeaf: group.leafIndex,
    leaves: group.public.tree.leaves().map(({ firstLeaf }) => firstLeaf),
    removedLeaves: removed,
    incarnation,
    ...(group.public.reInit !== undefined && { isLast: true }),
  }
}

/**
 * A number that no frame cryptor of this slot has had before, stored before it is used. Whoever
 * takes a place in the group again may get another leaf there, or the same.
 * @throws SessionError `store-corrupted`
 */
async function nextIncarnation(store: SessionStore): Promise<number> {
  const stored = await store.read(incarnationKey)
  const incarnation = stored === undefined ? 0 : readCounter(stored) + 1
  await store.write(new Map([[incarnationKey, encode(uint32, incarnation)]]))
  return incarnation
}

function readCounter(stored: Bytes): number {
  try {
    return decode(uint32, stored)
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause
    throw new SessionError('store-corrupted', 'the stored incarnation cannot be read', { cause })
  }
}

function ended(): SessionError {
  return new SessionError('session-ended', 'the meeting has ended')
}
