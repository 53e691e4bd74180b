import {
  CONCLAVE_KID_LAYOUT,
  decodeHeader,
  decodeKid,
  type MediaSource,
} from '@conclave/core/sframe'
import { expect, it } from 'vitest'
import type { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { EncodedFrame } from '../../src/media/encodedFrame.ts'
import type { EpochKeys, FrameCryptor, FrameCryptorHost } from '../../src/media/frameCryptor.ts'
import type { SenderStats } from '../../src/media/sendTransform.ts'
import { FrameWorker } from '../../src/media/worker/frameWorker.ts'
import { aead, bytesOf, hash, OPUS, TestFrame } from '../media/frames.ts'
import { Room } from './support/room.ts'

/** The worker's side of a frame cryptor, in this thread, with keys that wear out soon. */
class QuicklyWorn implements FrameCryptor {
  readonly out: TestFrame[] = []
  readonly #worker: FrameWorker
  readonly #in = new TransformStream<EncodedFrame, EncodedFrame>()
  readonly #writer = this.#in.writable.getWriter()
  #sent = 0
  #sender: SenderStats | undefined

  constructor(clock: VirtualClock, keyBlocks: number, host: FrameCryptorHost) {
    this.#worker = new FrameWorker({
      clock,
      aead,
      hash,
      keyBlocks,
      post: (message) => {
        if (message.type === 'key-worn') host.keyWorn(message.epoch)
        if (message.type === 'stats') this.#sender = message.stats.senders[0]
      },
    })
    this.#worker.handle({ type: 'start', suite: undefined, isListing: false })
  }

  installEpoch(keys: EpochKeys): void {
    this.#worker.handle({ type: 'install-epoch', keys })
  }

  async protect(_sender: RTCRtpSender, { source }: { source: MediaSource }): Promise<void> {
    this.#worker.attach({
      readable: this.#in.readable,
      writable: new WritableStream({ write: (frame) => void this.out.push(frame as TestFrame) }),
      options: { id: 1, direction: 'send', source, isRenewed: false },
    })
  }

  /** Sends a frame and waits until it has left or was dropped; what its header says. */
  async send(): Promise<{ readonly epoch: number; readonly counter: bigint } | undefined> {
    const before = this.out.length
    this.#sent += 1
    await this.#writer.write(new TestFrame(OPUS, bytesOf(before, 48)))
    while (!this.#isSettled()) await new Promise((resolve) => setImmediate(resolve))
    const header = decodeHeader(this.out[before]?.bytes ?? new Uint8Array())
    return (
      header && { epoch: decodeKid(CONCLAVE_KID_LAYOUT, header.kid).epoch, counter: header.ctr }
    )
  }

  /** Whether all that was sent has left or was dropped. */
  #isSettled(): boolean {
    this.#worker.handle({ type: 'stats', request: 1 })
    const { protected: left = 0, dropped = {} } = this.#sender ?? {}
    const refused = Object.values(dropped).reduce((sum, count) => sum + count, 0)
    return left + refused === this.#sent && this.out.length === left
  }

  async unprotect(): Promise<void> {}

  stats(): never {
    throw new Error('nobody asks')
  }

  close(): void {
    this.#worker.handle({ type: 'close' })
  }
}

it('a key that has encrypted nearly as much as it may is replaced before it must refuse', async () => {
  const room = Room.open()
  const [bob] = await room.meetingOf('bob')
  let cryptor: QuicklyWorn | undefined
  const alice = await room.join('alice', undefined, {
    createFrameCryptor: (host) => {
      // Twenty frames of three blocks and two more each.
      cryptor = new QuicklyWorn(room.clock, 100, host)
      return cryptor
    },
  })
  if (bob === undefined) throw new Error('nobody')
  await room.agreed([alice, bob], ['alice', 'bob'])
  const protecting = alice.meeting.protect({} as RTCRtpSender, { source: 'microphone' })
  await room.rest()
  await protecting
  const { epoch } = alice.meeting.view
  const commits = alice.port.count('commit')

  const first = []
  for (let sent = 0; sent < 14; sent++) first.push(await cryptor?.send())
  await room.rest()
  expect(first.at(-1)).toEqual({ epoch: Number(epoch), counter: 13n })
  expect(alice.port.count('commit')).toBe(commits)
  // The fifteenth is three quarters of them.
  expect(await cryptor?.send()).toMatchObject({ counter: 14n })
  await room.pass(400)
  await room.agreed([alice, bob], ['alice', 'bob'])
  expect(alice.meeting.view.epoch).toBe(epoch + 1n)
  expect(alice.port.count('commit')).toBe(commits + 1)
  expect(await cryptor?.send()).toEqual({ epoch: Number(epoch) + 1, counter: 0n })
})

it('a key that cannot be replaced in time refuses', async () => {
  const room = Room.open()
  let cryptor: QuicklyWorn | undefined
  const alice = await room.join('alice', undefined, {
    createFrameCryptor: (host) => {
      cryptor = new QuicklyWorn(room.clock, 100, host)
      return cryptor
    },
  })
  const protecting = alice.meeting.protect({} as RTCRtpSender, { source: 'microphone' })
  await room.rest()
  await protecting
  const sent = []
  for (let frame = 0; frame < 25; frame++) sent.push(await cryptor?.send())
  expect(sent.filter((header) => header !== undefined)).toHaveLength(20)
  await room.pass(400)
  expect(await cryptor?.send()).toMatchObject({ counter: 0n })
})
