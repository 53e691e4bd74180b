import { toHex } from '@conclave/core/codec'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  formatDiagnostics,
  type MediaAuthenticity,
  type MediaDegradation,
  MediaError,
  type MediaTrack,
} from '../../src/index.ts'
import type { EpochKeys, FrameCryptor, ReceivedStats } from '../../src/media/index.ts'
import { unsigned } from '../media/frames.ts'
import { type Client, Room } from './support/room.ts'

/** A browser's receiver, as far as it is asked how much it has decoded. */
class FakeReceiver {
  decoded = 0
  readonly #kind: 'audio' | 'video'

  constructor(kind: 'audio' | 'video') {
    this.#kind = kind
  }

  async getStats(): Promise<ReadonlyMap<string, unknown>> {
    const inbound =
      this.#kind === 'video'
        ? { framesDecoded: this.decoded }
        : { totalSamplesReceived: this.decoded + 960, concealedSamples: 960 }
    const others = [{ type: 'codec', mimeType: 'video/VP8' }, { type: 'remote-outbound-rtp' }]
    const all = [...others, { type: 'inbound-rtp', kind: this.#kind, ...inbound }]
    return new Map(all.map((stats, i) => [String(i), stats]))
  }

  asReceiver(): RTCRtpReceiver {
    return this as unknown as RTCRtpReceiver
  }
}

type Counts = Partial<Omit<ReceivedStats, 'receiver'>>

/** A frame cryptor whose counters the test sets. */
class ScriptedCryptor implements FrameCryptor {
  readonly baseKeys: Uint8Array[] = []
  readonly counts = new Map<RTCRtpReceiver, Omit<ReceivedStats, 'receiver'>>()
  failure: MediaError | undefined

  installEpoch({ baseKey }: EpochKeys): void {
    this.baseKeys.push(baseKey.slice())
  }
  async protect(): Promise<void> {}
  async unprotect(
    receiver: RTCRtpReceiver,
    expected: Pick<ReceivedStats, 'leaf' | 'source'>,
  ): Promise<void> {
    const none = {
      opened: 0,
      waiting: 0,
      needsKeyFrame: false,
      epoch: undefined,
      dropped: {},
      authenticity: unsigned,
    }
    this.counts.set(receiver, { ...expected, ...none })
  }
  async stats() {
    if (this.failure !== undefined) throw this.failure
    return {
      senders: [{ source: 'camera', epoch: 2n, protected: 7, dropped: { 'no-key': 1 } } as const],
      receivers: Array.from(this.counts, ([receiver, counts]) => ({ ...counts, receiver })),
    }
  }
  close(): void {
    this.failure = new MediaError('media-closed', 'closed')
  }
}

type Told = ['degraded', MediaDegradation] | ['recovered', MediaTrack]

describe('a meeting', () => {
  let room: Room
  let bob: Client
  let cryptor: ScriptedCryptor
  let told: Told[]

  beforeEach(async () => {
    room = Room.open()
    cryptor = new ScriptedCryptor()
    const alice = await room.join('alice')
    bob = await room.join('bob', undefined, { createFrameCryptor: () => cryptor })
    await room.agreed([alice, bob], ['alice', 'bob'])
    told = []
    bob.meeting.on('mediaDegraded', (degradation) => told.push(['degraded', degradation]))
    bob.meeting.on('mediaRecovered', (track) => told.push(['recovered', track]))
  })

  const alices = () => {
    const alice = bob.meeting.view.members.find(({ identity }) => identity === 'alice')
    if (alice === undefined) throw new Error('nobody')
    return alice
  }

  async function receive(source: 'camera' | 'microphone'): Promise<FakeReceiver> {
    const receiver = new FakeReceiver(source === 'camera' ? 'video' : 'audio')
    const participant = alices()
    const unprotecting = bob.meeting.unprotect(receiver.asReceiver(), { participant, source })
    await room.rest()
    await unprotecting
    return receiver
  }

  /** Half a second in which this comes to pass, and the browser decodes so much. */
  async function passHalfSecond(receiver: FakeReceiver, counts: Counts, decoded = 0) {
    const before = cryptor.counts.get(receiver.asReceiver())
    if (before === undefined) throw new Error('not received')
    cryptor.counts.set(receiver.asReceiver(), { ...before, ...counts })
    receiver.decoded += decoded
    await room.pass(500)
  }

  it('tells whom it cannot show, why and since when, and that it can again', async () => {
    const camera = await receive('camera')
    await passHalfSecond(camera, { opened: 15, epoch: 2n }, 15)
    expect(told).toEqual([])
    const since = room.clock.now() + 500
    await passHalfSecond(camera, { dropped: { tampered: 15 } })
    await passHalfSecond(camera, { dropped: { tampered: 30 } })
    const track = { participant: alices(), leaf: alices().leaf, source: 'camera', epoch: 2n }
    expect(told).toEqual([['degraded', { ...track, state: 'tampered', since }]])
    await passHalfSecond(camera, { opened: 20 }, 4)
    expect(told.slice(1)).toEqual([['recovered', track]])
  })

  it('tells what is known of who made the frames that it shows', async () => {
    const heard: MediaAuthenticity[] = []
    bob.meeting.on('mediaAuthenticity', (authenticity) => heard.push(authenticity))
    const camera = await receive('camera')
    const authenticity = { ...unsigned, verdict: 'forged', forged: 1 } as const
    await passHalfSecond(camera, { opened: 15, epoch: 2n, authenticity }, 15)
    await passHalfSecond(camera, { opened: 30 }, 15)
    const track = { participant: alices(), leaf: alices().leaf, source: 'camera', epoch: 2n }
    expect(heard).toEqual([{ ...track, verdict: 'forged' }])
    const { receivers } = await bob.meeting.getDiagnostics()
    expect(receivers[0]).toMatchObject({ state: 'decoding', authenticity })
  })

  it('tells of a track that nothing ever comes of, and of each of its tracks by itself', async () => {
    await receive('camera')
    const microphone = await receive('microphone')
    for (let i = 1; i <= 10; i++) await passHalfSecond(microphone, { opened: 25 * i }, 480)
    expect(told).toMatchObject([['degraded', { source: 'camera', state: 'no-frames' }]])
    const { receivers } = await bob.meeting.getDiagnostics()
    expect(receivers.map(({ source, state }) => [source, state])).toEqual([
      ['camera', 'no-frames'],
      ['microphone', 'decoding'],
    ])
  })

  it('tells that everybody stands still when its worker answers no more', async () => {
    const camera = await receive('camera')
    await passHalfSecond(camera, { opened: 15 }, 15)
    cryptor.failure = new MediaError('media-worker-failed', 'gone')
    await room.pass(4_500)
    expect(told).toMatchObject([['degraded', { state: 'stalled' }]])
    const diagnostics = await bob.meeting.getDiagnostics()
    expect(diagnostics).toMatchObject({ worker: 'media-worker-failed', receivers: [] })
  })

  it('looks at nothing any more when the last track has ended or the meeting is over', async () => {
    const camera = await receive('camera')
    await passHalfSecond(camera, { opened: 15 }, 15)
    cryptor.counts.clear()
    await room.pass(500)
    let looks = 0
    const stats = cryptor.stats.bind(cryptor)
    cryptor.stats = () => {
      looks++
      return stats()
    }
    await room.pass(5_000)
    expect(looks).toBe(0)
    await receive('camera')
    await room.pass(1_000)
    expect(looks).toBeGreaterThan(1)
    const leaving = bob.meeting.leave()
    await room.pass(1_000)
    await leaving
    looks = 0
    await room.pass(5_000)
    expect(looks).toBe(0)
    expect(told).toEqual([])
  })

  it('gives diagnostics that JSON holds, with names and counters and no byte of a key', async () => {
    expect(await bob.meeting.getDiagnostics()).toMatchObject({ worker: 'idle', receivers: [] })
    const camera = await receive('camera')
    await passHalfSecond(camera, { epoch: 2n, opened: 3, waiting: 1, dropped: { replayed: 9 } }, 2)
    const diagnostics = await bob.meeting.getDiagnostics()
    expect(diagnostics).toEqual({
      epoch: Number(bob.meeting.view.epoch),
      leaf: bob.meeting.self.leaf,
      members: 2,
      worker: 'running',
      senders: [{ source: 'camera', epoch: 2, protected: 7, dropped: { 'no-key': 1 } }],
      receivers: [
        {
          leaf: alices().leaf,
          identity: 'alice',
          source: 'camera',
          state: 'decoding',
          forMs: 0,
          epoch: 2,
          opened: 3,
          waiting: 1,
          dropped: { replayed: 9 },
          authenticity: unsigned,
        },
      ],
      receiversOmitted: 0,
    })
    const json = JSON.stringify(diagnostics)
    expect(JSON.parse(json)).toEqual(diagnostics)
    const line = formatDiagnostics(diagnostics)
    expect(line).not.toContain('alice')
    expect(cryptor.baseKeys.length).toBeGreaterThan(0)
    for (const key of cryptor.baseKeys) expect(secretsOf(key).filter(isIn(json, line))).toEqual([])
    // What the search would have found.
    const [key] = cryptor.baseKeys as [Uint8Array]
    for (const leak of [toHex(key), JSON.stringify([...key]), key.toString()]) {
      expect(secretsOf(key).some(isIn(leak))).toBe(true)
    }
  })

  /** Every four bytes of a key in the forms in which text may hold them. */
  function secretsOf(key: Uint8Array): string[] {
    return Array.from({ length: key.length - 3 }, (_, i) => key.subarray(i, i + 4)).flatMap(
      (four) => [toHex(four), four.join(), Buffer.from(four).toString('latin1')],
    )
  }

  function isIn(...texts: readonly string[]): (secret: string) => boolean {
    return (secret) => texts.some((text) => text.includes(secret))
  }
})
