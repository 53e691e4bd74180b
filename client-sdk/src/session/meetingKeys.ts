import {
  type Bytes,
  CodecError,
  decode,
  emptyBytes,
  encode,
  toHex,
  uint32,
} from '@conclave/core/codec'
import type { CommitEffect, Group } from '@conclave/core/mls/group'
import { BASE_KEY_EXPORTER_LABEL } from '@conclave/core/sframe'
import type { EpochKeys, FrameCryptor } from '../media/index.ts'
import { SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/** AEAD.Nk of AES_128_GCM_SHA256_128, the meeting's SFrame cipher suite. */
const baseKeyLength = 16

export interface MeetingKeysOptions {
  readonly store: SessionStore
  readonly createFrameCryptor: () => FrameCryptor
  /** The group of the current epoch; undefined once the session has ended. */
  readonly currentGroup: () => Group | undefined
}

/** Hands each epoch's media key to the frame cryptor, which is made when media is first protected. */
export class MeetingKeys {
  readonly #options: MeetingKeysOptions
  #making: Promise<FrameCryptor> | undefined
  #made: { readonly cryptor: FrameCryptor; readonly incarnation: number } | undefined
  #closed = false

  constructor(options: MeetingKeysOptions) {
    this.#options = options
  }

  /** @throws SessionError `session-ended`, `store-corrupted`, MediaError `media-unsupported-platform` */
  cryptor(): Promise<FrameCryptor> {
    this.#making ??= this.#make()
    return this.#making
  }

  epochBegan(group: Group, effect: CommitEffect | undefined): void {
    const made = this.#made
    if (made === undefined || this.#closed) return
    made.cryptor.installEpoch(epochKeys(group, effect, made.incarnation))
  }

  close(): void {
    this.#closed = true
    this.#made?.cryptor.close()
  }

  async #make(): Promise<FrameCryptor> {
    const { store, createFrameCryptor, currentGroup } = this.#options
    const group = this.#current()
    const incarnation = await nextIncarnation(store, group.groupId, group.leafIndex)
    // Epochs may have gone by meanwhile; the cryptor begins with the newest.
    const newest = this.#closed ? undefined : currentGroup()
    if (newest === undefined) throw ended()
    const cryptor = createFrameCryptor()
    this.#made = { cryptor, incarnation }
    cryptor.installEpoch(epochKeys(newest, undefined, incarnation))
    return cryptor
  }

  #current(): Group {
    const group = this.#closed ? undefined : this.#options.currentGroup()
    if (group === undefined) throw ended()
    return group
  }
}

/** RFC 9605 §5.2 */
function epochKeys(group: Group, effect: CommitEffect | undefined, incarnation: number): EpochKeys {
  const exported = group.exportSecret(BASE_KEY_EXPORTER_LABEL, emptyBytes, baseKeyLength)
  const baseKey = exported.expose().slice()
  exported.wipe()
  return {
    epoch: group.epoch,
    baseKey,
    ownLeaf: group.leafIndex,
    leaves: group.members.map(({ leafIndex }) => leafIndex),
    removedLeaves: effect?.removed ?? [],
    incarnation,
  }
}

/**
 * A number that no frame cryptor of this leaf has had before, stored before it is used.
 * @throws SessionError `store-corrupted`
 */
async function nextIncarnation(
  store: SessionStore,
  groupId: Bytes,
  leafIndex: number,
): Promise<number> {
  const key = `incarnation/${toHex(groupId)}/${leafIndex}`
  const stored = await store.read(key)
  const incarnation = stored === undefined ? 0 : readCounter(stored) + 1
  await store.write(new Map([[key, encode(uint32, incarnation)]]))
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
