import { emptyBytes } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import { BASE_KEY_EXPORTER_LABEL } from '@conclave/core/sframe'
import { beforeEach, describe, expect, it } from 'vitest'
import { memorySessionStore, type SessionStore } from '../../src/index.ts'
import { type EpochKeys, type FrameCryptor, MediaError } from '../../src/media/index.ts'
import { MeetingKeys } from '../../src/session/meetingKeys.ts'
import { envelope, Gathering } from './support/people.ts'

/** Writes down which keys it is given. */
class RecordingCryptor implements FrameCryptor {
  readonly epochs: EpochKeys[] = []
  closed = false
  failed = false

  installEpoch(keys: EpochKeys): void {
    if (this.failed) throw new MediaError('media-worker-failed', 'the worker is gone')
    // Whoever takes a key over makes it unusable to others.
    this.epochs.push({ ...keys, baseKey: keys.baseKey.slice() })
    keys.baseKey.fill(0)
  }
  protect = () => Promise.resolve()
  unprotect = () => Promise.resolve()
  stats = () => Promise.resolve({ senders: [], receivers: [] })
  close(): void {
    this.closed = true
  }
}

/** A store that shows what has been written when. */
function watchedStore(): SessionStore & { readonly written: string[] } {
  const store = memorySessionStore()
  const written: string[] = []
  return {
    written,
    ...store,
    write: async (changes) => {
      await store.write(changes)
      written.push(...changes.keys())
    },
  }
}

let gathering: Gathering
let group: Group
let store: ReturnType<typeof watchedStore>
let cryptors: RecordingCryptor[]

beforeEach(async () => {
  gathering = await Gathering.of(3)
  group = gathering.group(1)
  store = watchedStore()
  cryptors = []
})

type Options = ConstructorParameters<typeof MeetingKeys>[0]

function keys({
  store: kept = store,
  ...overrides
}: Partial<Omit<Options, 'store'> & { readonly store: SessionStore }> = {}): MeetingKeys {
  return new MeetingKeys({
    store: () => kept,
    currentGroup: () => group,
    createFrameCryptor: () => {
      const cryptor = new RecordingCryptor()
      cryptors.push(cryptor)
      return cryptor
    },
    ...overrides,
  })
}

/** Another epoch, which removes the third. */
async function removeThird(): Promise<Parameters<MeetingKeys['epochBegan']>> {
  const removal = await gathering.removalOf(2)
  await gathering.group(0).receive(removal)
  await group.receive(removal)
  const { message } = await gathering.group(0).commit({ authenticatedData: envelope(1) })
  const received = await group.receive(message)
  if (received.kind !== 'commit') throw new Error(received.kind)
  group = received.group
  return [group, received.effect.removed]
}

function exported(from: Group): Uint8Array {
  return from.exportSecret(BASE_KEY_EXPORTER_LABEL, emptyBytes, 16).expose()
}

describe('MeetingKeys', () => {
  it('makes no cryptor and exports no key before media is protected', async () => {
    const meeting = keys()
    meeting.epochBegan(...(await removeThird()))
    expect(cryptors).toEqual([])
    expect(store.written).toEqual([])
  })

  it('installs the exporter’s key of the current epoch, for the leaves that are there', async () => {
    await keys().cryptor()
    expect(cryptors[0]?.epochs).toEqual([
      {
        epoch: 1n,
        baseKey: exported(group),
        ownLeaf: 1,
        leaves: [0, 1, 2],
        removedLeaves: [],
        incarnation: 0,
      },
    ])
  })

  it('installs each epoch as it begins, and says who left with it', async () => {
    const meeting = keys()
    await meeting.cryptor()
    meeting.epochBegan(...(await removeThird()))
    expect(cryptors[0]?.epochs[1]).toEqual({
      epoch: 2n,
      baseKey: exported(group),
      ownLeaf: 1,
      leaves: [0, 1],
      removedLeaves: [2],
      incarnation: 0,
    })
  })

  it('makes one cryptor, however many ask for it at once', async () => {
    const meeting = keys()
    const [one, other] = await Promise.all([meeting.cryptor(), meeting.cryptor()])
    expect(one).toBe(other)
    expect(cryptors).toHaveLength(1)
  })

  it('stores an incarnation before it is used, and a greater one for each cryptor', async () => {
    const events: string[] = []
    const incarnations: (number | undefined)[] = []
    for (let i = 0; i < 3; i++) {
      const slow: SessionStore = {
        ...store,
        write: async (changes) => {
          await new Promise((resolve) => setImmediate(resolve))
          await store.write(changes)
          events.push('stored')
        },
      }
      const createFrameCryptor = () => {
        events.push('made')
        const cryptor = new RecordingCryptor()
        cryptors.push(cryptor)
        return cryptor
      }
      await keys({ store: slow, createFrameCryptor }).cryptor()
      incarnations.push(cryptors[i]?.epochs[0]?.incarnation)
    }
    expect(events).toEqual(['stored', 'made', 'stored', 'made', 'stored', 'made'])
    expect(incarnations).toEqual([0, 1, 2])
  })

  it('counts incarnations on over all leaves that a slot has had', async () => {
    await keys().cryptor()
    await keys({ currentGroup: () => gathering.group(0) }).cryptor()
    const other = await Gathering.of(2)
    await keys({ currentGroup: () => other.group(1) }).cryptor()
    expect(cryptors.map(({ epochs }) => epochs[0]?.incarnation)).toEqual([0, 1, 2])
    await keys({ store: watchedStore() }).cryptor()
    expect(cryptors.at(-1)?.epochs[0]?.incarnation).toBe(0)
  })

  it('makes no cryptor where the incarnation cannot be stored, and tries again later', async () => {
    let full = true
    const failing: SessionStore = {
      ...store,
      write: async (changes) => {
        if (full) throw new Error('no space left')
        await store.write(changes)
      },
    }
    const meeting = keys({ store: failing })
    await expect(meeting.cryptor()).rejects.toThrow('no space left')
    expect(cryptors).toEqual([])
    full = false
    await meeting.cryptor()
    expect(cryptors).toHaveLength(1)
  })

  it('refuses a stored incarnation that is none', async () => {
    await keys().cryptor()
    await store.write(new Map([[store.written[0] ?? '', Uint8Array.of(1, 2)]]))
    await expect(keys().cryptor()).rejects.toMatchObject({ code: 'store-corrupted' })
  })

  it('begins with the newest epoch where some have gone by meanwhile', async () => {
    const release = Promise.withResolvers<void>()
    const slow: SessionStore = {
      ...store,
      write: async (changes) => {
        await release.promise
        await store.write(changes)
      },
    }
    const meeting = keys({ store: slow })
    const making = meeting.cryptor()
    meeting.epochBegan(...(await removeThird()))
    release.resolve()
    await making
    expect(cryptors[0]?.epochs.map(({ epoch }) => epoch)).toEqual([2n])
  })

  it('waits for the next epoch where the current one has just been superseded', async () => {
    const old = group
    const began = await removeThird()
    const meeting = keys({ currentGroup: () => old })
    await meeting.cryptor()
    expect(cryptors[0]?.epochs).toEqual([])
    meeting.epochBegan(...began)
    expect(cryptors[0]?.epochs.map(({ epoch }) => epoch)).toEqual([2n])
  })

  it('gives a cryptor that has lost its keys the newest epoch’s under a new incarnation', async () => {
    const meeting = keys()
    await meeting.cryptor()
    const taken: EpochKeys[] = []
    const renewing = meeting.renew((epochKeys) => taken.push(epochKeys))
    expect(taken).toEqual([])
    expect(await renewing).toBe(1n)
    expect(taken).toMatchObject([{ epoch: 1n, incarnation: 1, ownLeaf: 1 }])
    expect(taken[0]?.baseKey).toHaveLength(16)
    meeting.epochBegan(...(await removeThird()))
    expect(cryptors[0]?.epochs.at(-1)).toMatchObject({ epoch: 2n, incarnation: 1 })
  })

  it('gives it those of the next epoch where the current one has just been superseded', async () => {
    const old = group
    const meeting = keys({ currentGroup: () => old })
    await meeting.cryptor()
    const began = await removeThird()
    const taken: EpochKeys[] = []
    expect(await meeting.renew((epochKeys) => taken.push(epochKeys))).toBeUndefined()
    expect(taken).toEqual([])
    meeting.epochBegan(...began)
    expect(taken).toMatchObject([{ epoch: 2n, incarnation: 1 }])
    expect(cryptors[0]?.epochs.map(({ epoch }) => epoch)).toEqual([1n])
  })

  it('gives none where there is no cryptor, or the meeting has ended', async () => {
    const taken: EpochKeys[] = []
    const meeting = keys()
    expect(await meeting.renew((epochKeys) => taken.push(epochKeys))).toBeUndefined()
    await meeting.cryptor()
    const renewing = meeting.renew((epochKeys) => taken.push(epochKeys))
    meeting.close()
    expect(await renewing).toBeUndefined()
    expect(taken).toEqual([])
  })

  it('closes the cryptor with the meeting, and makes none afterwards', async () => {
    const meeting = keys()
    await meeting.cryptor()
    meeting.close()
    expect(cryptors[0]?.closed).toBe(true)
    meeting.epochBegan(...(await removeThird()))
    expect(cryptors[0]?.epochs).toHaveLength(1)
    const closed = keys()
    closed.close()
    await expect(closed.cryptor()).rejects.toMatchObject({ code: 'session-ended' })
  })

  it('makes no cryptor for a meeting that ended while the incarnation was stored', async () => {
    const meeting = keys()
    const making = meeting.cryptor()
    meeting.close()
    await expect(making).rejects.toMatchObject({ code: 'session-ended' })
    expect(cryptors).toEqual([])
  })

  it('lets the meeting go on without media where the cryptor has failed', async () => {
    const meeting = keys()
    await meeting.cryptor()
    const [cryptor] = cryptors
    if (cryptor === undefined) throw new Error('no cryptor')
    cryptor.failed = true
    const began = await removeThird()
    expect(() => meeting.epochBegan(...began)).not.toThrow()
  })
})
