import type { MediaDegradation, Participant } from '@conclave/client'
import { describe, expect, it } from 'vitest'
import { describeTroubles, MediaTrouble, withoutPaused } from '../src/page/mediaTrouble.ts'

const leaf = 3
const participant = { leaf, identity: 'Bob' } as Participant

function degradation(
  source: MediaDegradation['source'],
  state: MediaDegradation['state'],
): MediaDegradation {
  return { participant, leaf, source, state, epoch: undefined, since: 0 }
}

describe('trouble with media', () => {
  it('is what was told last of each source, until that source is well again', () => {
    const trouble = new MediaTrouble()
    trouble.degraded(degradation('camera', 'waiting-for-key'))
    trouble.degraded(degradation('microphone', 'tampered'))
    trouble.degraded(degradation('camera', 'stalled'))
    expect(trouble.byLeaf.value.get(leaf)).toEqual({ camera: 'stalled', microphone: 'tampered' })

    trouble.over({ leaf, source: 'camera' })
    trouble.over({ leaf, source: 'screen' })
    trouble.over({ leaf: 4, source: 'microphone' })
    expect([...trouble.byLeaf.value]).toEqual([[leaf, { microphone: 'tampered' }]])
  })

  it('goes with the participant, so that whoever has the leaf next begins without it', () => {
    const trouble = new MediaTrouble()
    trouble.degraded(degradation('camera', 'stalled'))
    trouble.forget(leaf)
    expect(trouble.byLeaf.value.size).toBe(0)
  })

  it('is none of anybody where leaves become others’', () => {
    const trouble = new MediaTrouble()
    trouble.degraded(degradation('camera', 'stalled'))
    trouble.clear()
    expect(trouble.byLeaf.value.size).toBe(0)
  })

  it('is not told of a source that is paused, and again when it goes on', () => {
    const track = {} as MediaStreamTrack
    const troubles = { camera: 'stalled', microphone: 'tampered', screen: 'foreign' } as const
    expect(withoutPaused(troubles, { camera: { track, paused: true } })).toEqual({
      microphone: 'tampered',
      screen: 'foreign',
    })
    expect(withoutPaused(troubles, { camera: { track, paused: false } })).toEqual(troubles)
  })

  it('is put into words once for all sources that are in the same state', () => {
    expect(
      describeTroubles({ camera: 'wrong-key', microphone: 'wrong-key', screen: 'stalled' }),
    ).toEqual([
      'Camera and microphone: encrypted with another key. Compare safety codes, then join again.',
      'Screen: nothing comes any more. Check your connection, then theirs.',
    ])
  })

  it('is put into words for every state but those that are none', () => {
    const all = [
      'no-frames',
      'waiting-for-key',
      'wrong-key',
      'tampered',
      'replayed',
      'foreign',
      'waiting-for-key-frame',
      'stalled',
    ] as const
    for (const state of all) {
      expect(describeTroubles({ camera: state })).toEqual([
        expect.stringMatching(/^Camera: \S.*\.$/),
      ])
    }
    expect(describeTroubles({ camera: 'decoding', microphone: 'paused' })).toEqual([])
  })
})
