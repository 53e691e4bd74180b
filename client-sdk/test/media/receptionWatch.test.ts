import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { MediaVerdict, ReceivedStats } from '../../src/media/frameCryptor.ts'
import type { Notice } from '../../src/media/receptionNotices.ts'
import { ReceptionWatch } from '../../src/media/receptionWatch.ts'
import { unsigned } from './frames.ts'

/** A receiver of a browser that tells nothing of what it decodes. */
function silentReceiver(): RTCRtpReceiver {
  return { getStats: () => Promise.reject(new Error('not here')) } as unknown as RTCRtpReceiver
}

describe('whoever watches receivers', () => {
  let clock: VirtualClock
  let receivers: ReceivedStats[]
  let notices: Notice[]
  let verdicts: string[]
  let watch: ReceptionWatch
  const receiver = silentReceiver()

  const stats = (changes: Partial<ReceivedStats> = {}): ReceivedStats => ({
    receiver,
    leaf: 0,
    source: 'camera',
    epoch: 1n,
    opened: 0,
    waiting: 0,
    needsKeyFrame: false,
    dropped: {},
    authenticity: unsigned,
    ...changes,
  })

  beforeEach(() => {
    clock = new VirtualClock()
    receivers = []
    notices = []
    verdicts = []
    watch = new ReceptionWatch({
      clock,
      cryptor: { stats: async () => ({ senders: [], receivers }) },
      onNotice: (_, notice) => notices.push(notice),
      onVerdict: (_, verdict) => verdicts.push(verdict),
    })
  })

  it('has nothing to say of a track that its sender has paused, however long', async () => {
    receivers = [stats({ opened: 5 })]
    watch.start()
    await clock.advanceAsync(500)
    expect(watch.receptionOf(receiver)?.state).toBe('decoding')
    watch.setPaused(receiver, true)
    await clock.advanceAsync(60_000)
    expect(watch.receptionOf(receiver)?.state).toBe('paused')
    watch.setPaused(receiver, false)
    receivers = [stats({ opened: 9 })]
    await clock.advanceAsync(500)
    expect(watch.receptionOf(receiver)?.state).toBe('decoding')
    expect(notices).toEqual([])
    watch.setPaused(receiver, true)
    watch.setPaused(receiver, false)
    await clock.advanceAsync(4_000)
    expect(notices).toMatchObject([{ type: 'degraded', state: 'stalled' }])
  })

  it('takes the newer of two receivers of one leaf and source', async () => {
    const newer = silentReceiver()
    receivers = [stats(), stats({ receiver: newer, opened: 5 })]
    watch.start()
    await clock.advanceAsync(10_000)
    expect(watch.receptionOf(receiver)).toBeUndefined()
    expect(watch.receptionOf(newer)?.state).toBe('stalled')
    expect(notices).toHaveLength(1)
  })

  it('tells that a track has recovered also where another receiver gets it', async () => {
    receivers = [stats({ opened: 5 })]
    watch.start()
    await clock.advanceAsync(5_000)
    expect(notices).toMatchObject([{ type: 'degraded', state: 'stalled' }])
    receivers = [stats({ receiver: silentReceiver(), opened: 5 })]
    await clock.advanceAsync(500)
    expect(notices.slice(1)).toEqual([{ type: 'recovered' }])
  })

  it('follows a sender whose leaf becomes another', async () => {
    receivers = [stats({ opened: 5 })]
    watch.start()
    await clock.advanceAsync(500)
    const since = watch.receptionOf(receiver)?.since
    receivers = [stats({ leaf: 3, opened: 9 })]
    await clock.advanceAsync(500)
    expect(watch.receptionOf(receiver)).toMatchObject({ state: 'decoding', since })
  })

  it('misses no receiver that is there only after it has begun to look', async () => {
    watch.start()
    watch.start()
    receivers = [stats({ opened: 5 })]
    await clock.advanceAsync(500)
    expect(watch.receptionOf(receiver)?.state).toBe('decoding')
  })

  it('tells what is known of who sends, with each change of it alone', async () => {
    const judged = (verdict: MediaVerdict) => stats({ authenticity: { ...unsigned, verdict } })
    receivers = [judged('unsigned')]
    watch.start()
    await clock.advanceAsync(1_000)
    expect(verdicts).toEqual([])
    for (const verdict of ['pending', 'authenticated', 'authenticated', 'forged'] as const) {
      receivers = [judged(verdict)]
      await clock.advanceAsync(500)
    }
    // Another receiver of the same track.
    receivers = [{ ...judged('forged'), receiver: silentReceiver() }]
    await clock.advanceAsync(500)
    expect(verdicts).toEqual(['pending', 'authenticated', 'forged'])
    // Of whoever sends the next track nothing is known.
    receivers = []
    await clock.advanceAsync(500)
    expect(verdicts.slice(3)).toEqual(['unsigned'])
  })

  it('leaves no timer behind when nobody is received any more, or it is closed', async () => {
    receivers = [stats()]
    watch.start()
    watch.start()
    await clock.advanceAsync(2_000)
    expect(clock.pendingTimers).toBe(1)
    receivers = []
    await clock.advanceAsync(500)
    expect(clock.pendingTimers).toBe(0)
    receivers = [stats()]
    watch.start()
    await clock.advanceAsync(0)
    expect(clock.pendingTimers).toBe(1)
    watch.close()
    expect(clock.pendingTimers).toBe(0)
    watch.start()
    await clock.advanceAsync(500)
    expect(clock.pendingTimers).toBe(0)
  })
})
