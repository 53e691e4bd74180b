import type { Bytes } from '@conclave/core/codec'
import { CONCLAVE_KID_LAYOUT, decodeHeader, encodeHeader } from '@conclave/core/sframe'
import { beforeEach, describe, expect, it } from 'vitest'
import type { OpenDrop } from '../../src/media/receiveTransform.ts'
import { bytesOf, epochShownBy, OPUS, TestFrame, VP8, vp8Frame } from './frames.ts'
import { Call, Member, type Transformer } from './workerCall.ts'

/** A frame whose KID names another epoch. */
function movedToEpoch(frame: Bytes, clear: number, epoch: number): Bytes {
  const header = decodeHeader(frame.subarray(clear))
  if (header === undefined) throw new Error('no SFrame')
  const epochs = 2n ** BigInt(CONCLAVE_KID_LAYOUT.epochBits)
  const kid = header.kid - (header.kid % epochs) + BigInt(epoch)
  const moved = encodeHeader(kid, header.ctr)
  return new Uint8Array([
    ...frame.subarray(0, clear),
    ...moved,
    ...frame.subarray(clear + header.length),
  ])
}

const flipped = (frame: Bytes, at: number, bit = 1) =>
  frame.map((byte, i) => (i === (at + frame.length) % frame.length ? byte ^ bit : byte))

/** A meeting of three, of whom Carol (leaf 2) sends too, and a relay that has seen all. */
class Meeting extends Call {
  readonly carol = new Member(2, this.clock)

  override install(...epoch: Parameters<Call['install']>): void {
    super.install(...epoch)
    this.carol.install(...epoch)
  }

  /** What a member sends of a source besides Alice's camera. */
  async sentBy(member: Member, source: 'camera' | 'screen'): Promise<Bytes> {
    const transformer = member.sends(source)
    await transformer.write(new TestFrame(VP8, vp8Frame('delta', 200), 'delta'))
    await member.settled(transformer)
    const [frame] = transformer.out
    if (frame === undefined) throw new Error('nothing was sent')
    return frame.bytes
  }

  /** A good frame, before the relay has it. */
  async next(type: 'key' | 'delta' = 'delta'): Promise<Bytes> {
    const frame = await this.send(type)
    if (frame === undefined) throw new Error('nothing was sent')
    return frame.bytes
  }

  /** How many frames Bob gets to see when the relay sends him this. */
  relay(frame: Bytes, type: 'key' | 'delta' = 'delta'): Promise<number> {
    return this.deliver(new TestFrame(VP8, frame, type))
  }
}

type Attack = (meeting: Meeting) => Promise<Bytes>

const attacks: readonly (readonly [what: string, counted: OpenDrop, attack: Attack])[] = [
  ['with a flipped bit', 'tampered', async (meeting) => flipped(await meeting.next(), 90)],
  [
    'with a flipped bit of its tag',
    'tampered',
    async (meeting) => flipped(await meeting.next(), -1),
  ],
  [
    'with a flipped bit of what is in clear',
    'tampered',
    async (meeting) => flipped(await meeting.next(), 0, 0x80),
  ],
  ['cut short', 'tampered', async (meeting) => (await meeting.next()).slice(0, -1)],
  ['cut down to its header', 'truncated', async (meeting) => (await meeting.next()).slice(0, 12)],
  ['of another sender', 'wrong-sender', (meeting) => meeting.sentBy(meeting.carol, 'camera')],
  ['of another source', 'wrong-source', (meeting) => meeting.sentBy(meeting.alice, 'screen')],
  [
    'moved to another epoch',
    'wrong-key',
    async (meeting) => movedToEpoch(await meeting.next(), 1, 2),
  ],
  [
    'moved back to an epoch that is gone',
    'unknown-key',
    async (meeting) => movedToEpoch(await meeting.next(), 1, 250),
  ],
  [
    'made up behind a header that the relay has seen',
    'tampered',
    async (meeting) => new Uint8Array([...(await meeting.next()).slice(0, 8), ...bytesOf(5, 120)]),
  ],
  [
    'in clear',
    'malformed-header',
    async () => new Uint8Array([0x01, 0x88, 0x00, ...bytesOf(7, 150)]),
  ],
]

describe('what a hostile relay does to a call', () => {
  let meeting: Meeting
  beforeEach(async () => {
    meeting = new Meeting()
    meeting.install(1n)
    // An epoch that is installed and not yet sent under.
    meeting.install(2n)
    expect(await meeting.relay(await meeting.next('key'), 'key')).toBe(1)
    expect(await meeting.relay(await meeting.next())).toBe(1)
  })

  it.each(attacks)(
    'passes no frame %s, counts it as %s, and goes on with the next good one',
    async (_, counted, attack) => {
      const hostile = await attack(meeting)
      expect(await meeting.relay(hostile)).toBe(0)
      expect(meeting.dropped()).toEqual({ [counted]: 1 })
      expect(meeting.screen.keyFramesRequested).toBe(0)

      // The frame was lost, so those that follow are of no use: a key frame is asked for, once.
      for (let i = 0; i < 5; i++) expect(await meeting.relay(await meeting.next())).toBe(1)
      expect(meeting.screen.keyFramesRequested).toBe(1)
      expect(meeting.bob.stats().receivers[0]?.needsKeyFrame).toBe(true)
      expect(await meeting.relay(await meeting.next('key'), 'key')).toBe(1)
      await meeting.clock.advanceAsync(5_000)
      expect(await meeting.relay(await meeting.next())).toBe(1)
      expect(meeting.screen.keyFramesRequested).toBe(1)
      expect(meeting.bob.stats().receivers[0]?.needsKeyFrame).toBe(false)
      expect(meeting.dropped()).toEqual({ [counted]: 1 })
    },
  )

  it('passes no frame twice, and asks for no key frame, because nothing is lost', async () => {
    const frames = [await meeting.next(), await meeting.next('key'), await meeting.next()]
    for (const frame of frames) expect(await meeting.relay(frame)).toBe(1)
    for (const frame of frames) expect(await meeting.relay(frame)).toBe(0)
    expect(meeting.dropped()).toEqual({ replayed: 3 })
    expect(await meeting.relay(await meeting.next())).toBe(1)
    expect(meeting.screen.keyFramesRequested).toBe(0)
  })

  it('keeps a frame that it has moved ahead of all epochs for two seconds and no longer', async () => {
    expect(await meeting.relay(movedToEpoch(await meeting.next(), 1, 3))).toBe(0)
    expect(meeting.bob.stats().receivers[0]).toMatchObject({ waiting: 1, dropped: {} })
    expect(await meeting.relay(await meeting.next())).toBe(1)
    await meeting.clock.advanceAsync(2_000)
    expect(meeting.dropped()).toEqual({ 'wait-expired': 1 })
    // Also where the epoch comes whose name it bears.
    expect(await meeting.relay(movedToEpoch(await meeting.next(), 1, 3))).toBe(0)
    meeting.install(3n)
    expect(await meeting.relay(await meeting.next())).toBe(1)
    expect(meeting.dropped()).toEqual({ 'wait-expired': 1, 'wrong-key': 1 })
  })

  it('makes nobody ask for more than one key frame a second, however it goes on', async () => {
    // From here on Alice sends under the second epoch.
    await meeting.clock.advanceAsync(300)
    expect(await meeting.relay(await meeting.next())).toBe(1)
    for (let i = 0; i < 100; i++) {
      expect(await meeting.relay(flipped(await meeting.next(), 90))).toBe(0)
      expect(await meeting.relay(await meeting.next())).toBe(1)
      await meeting.clock.advanceAsync(100)
    }
    expect(meeting.dropped()).toEqual({ tampered: 100 })
    expect(meeting.screen.keyFramesRequested).toBe(10)
  })

  it('disturbs sound no longer than its own frames last', async () => {
    const [sent, got] = [meeting.alice.sends('microphone'), meeting.bob.receives(0, 'microphone')]
    const sound = async (change: (frame: Bytes) => Bytes) => {
      await sent.write(new TestFrame(OPUS, bytesOf(1, 60)))
      await meeting.alice.settled(sent)
      const bytes = sent.out.at(-1)?.bytes ?? new Uint8Array()
      await got.write(new TestFrame(OPUS, change(bytes)))
      await meeting.bob.settled(got)
      return got.out.length
    }
    expect(await sound((frame) => frame)).toBe(1)
    expect(await sound((frame) => flipped(frame, 30))).toBe(1)
    expect(await sound((frame) => frame)).toBe(2)
    expect(got.keyFramesRequested).toBe(0)
  })
})

describe('a member who was removed', () => {
  const removal = { leaves: [0, 1], removedLeaves: [2] }
  let meeting: Meeting
  beforeEach(() => {
    meeting = new Meeting()
    meeting.install(1n)
  })

  /** The others go on without Carol, whose worker hears of it never. */
  function remove(): void {
    meeting.alice.install(2n, removal)
    meeting.bob.install(2n, removal)
  }

  async function written(member: Member, transformer: Transformer, frame: Bytes): Promise<number> {
    await transformer.write(new TestFrame(VP8, frame, 'delta'))
    await member.settled(transformer)
    return transformer.out.length
  }

  it('is heard no more at once, whichever keys the frames were made with', async () => {
    const tile = meeting.bob.receives(2, 'camera')
    const [before, late] = [
      await meeting.sentBy(meeting.carol, 'camera'),
      await meeting.sentBy(meeting.carol, 'camera'),
    ]
    expect(await written(meeting.bob, tile, before)).toBe(1)
    remove()
    expect(await written(meeting.bob, tile, late)).toBe(1)
    expect(await written(meeting.bob, tile, movedToEpoch(late, 1, 2))).toBe(1)
    expect(meeting.bob.stats().receivers[0]?.dropped).toEqual({ 'removed-sender': 2 })
    await meeting.clock.advanceAsync(2_000)
    expect(await written(meeting.bob, tile, late)).toBe(1)
    expect(meeting.bob.stats().receivers[0]?.dropped).toEqual({
      'removed-sender': 2,
      'unknown-key': 1,
    })
  })

  it('opens none of the frames that others send from then on', async () => {
    const spying = meeting.carol.receives(0, 'camera')
    expect(await written(meeting.carol, spying, await meeting.next())).toBe(1)
    remove()
    // Counters begin anew, and the first one would be a replay in the old epoch.
    await meeting.next()
    for (let second = 0; second < 20; second++) {
      const frame = await meeting.next()
      expect(epochShownBy(frame, 1)).toBe(2)
      // As it comes, and as one of the epoch whose keys she has kept.
      await spying.write(new TestFrame(VP8, frame, 'delta'))
      await spying.write(new TestFrame(VP8, movedToEpoch(frame, 1, 1), 'delta'))
      await meeting.clock.advanceAsync(1_000)
    }
    await meeting.carol.settled(spying)
    await meeting.clock.advanceAsync(2_000)
    expect(spying.out).toHaveLength(1)
    expect(meeting.carol.stats().receivers[0]).toMatchObject({ opened: 1, waiting: 0 })
    expect(meeting.carol.stats().receivers[0]?.dropped).toEqual({
      tampered: 20,
      'wait-expired': 20,
    })
  })

  it('leaves keys behind that open what was on its way for two seconds, and nothing after', async () => {
    const [inTime, late] = [await meeting.next(), await meeting.next()]
    remove()
    await meeting.clock.advanceAsync(1_999)
    expect(await meeting.relay(inTime)).toBe(1)
    await meeting.clock.advanceAsync(1)
    expect(await meeting.relay(late)).toBe(0)
    expect(meeting.dropped()).toEqual({ 'unknown-key': 1 })
  })
})
