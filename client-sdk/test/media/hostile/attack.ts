import { FrameProtector } from '@conclave/client/media'
import type { Bytes } from '@conclave/core/codec'
import { FrameKeys } from '@conclave/core/sframe'
import { STATE_OF_DROP } from '../../../src/media/reception.ts'
import { aead, epochOf, Pair } from '../frames.ts'
import type { CodecSamples } from './codecSamples.ts'
import { Chance, damaged } from './damage.ts'
import { frameOf, type MakeEndpoints } from './endpoints.ts'

/** Damaged frames between one group of good ones and the next. */
const DAMAGED_IN_A_ROUND = 100
const GOOD_IN_A_ROUND = 4
/** What the relay keeps to make something of. */
const SEEN_FRAMES = 24
/** How many frames may wait for a key, and how long. */
const MAX_WAITING = 120
const WAIT_MS = 2_000

const knownOutcomes = new Set(['opened', 'waiting', ...Object.keys(STATE_OF_DROP)])

/** What an attack came to. */
export interface AttackReport {
  /** Frames by what became of them. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Empty where all that must hold held. */
  readonly faults: readonly string[]
}

/**
 * Sends frames of one codec through a relay that mixes among them what it has made of all that it
 * has seen, also of other tracks, members and epochs. Whatever it does: nothing throws, every
 * outcome has a name, no frame opens that was not sent or that has opened before, each good frame
 * opens, and no more waits than may.
 */
export async function attack(
  { mimeType, source, frames, identity }: CodecSamples,
  { make, runs, seed }: { make: MakeEndpoints; runs: number; seed: number },
): Promise<AttackReport> {
  const chance = new Chance(seed)
  const pair = new Pair()
  pair.install(1n)
  const { clock, sender, receiver } = pair
  const ends = make({ mimeType, source, sender, receiver, clock })
  const outcomes: Record<string, number> = {}
  const faults = new Set<string>()
  /** How often a frame with this content was sent and has not opened yet. */
  const sent = new Map<string, number>()

  const open = async (bytes: Bytes): Promise<string> => {
    const { name, frame } = await ends.open(bytes).catch((error) => {
      faults.add(`thrown: ${error}`)
      return { name: 'thrown', frame: undefined }
    })
    outcomes[name] = (outcomes[name] ?? 0) + 1
    if (!knownOutcomes.has(name)) faults.add(`no name: ${name}`)
    if (frame === undefined) return name
    const left = sent.get(identity(frame))
    if (left === undefined) faults.add('opened what was not sent')
    else if (left === 0) faults.add('opened twice')
    else sent.set(identity(frame), left - 1)
    return name
  }

  const seen = await foreignFrames({ mimeType, source, frames })
  const foreign = seen.length
  for (let run = 0; run < runs; ) {
    const good: Bytes[] = []
    for (let i = 0; i < GOOD_IN_A_ROUND; i++) {
      const frame = chance.of(frames)
      const key = identity(frame)
      sent.set(key, (sent.get(key) ?? 0) + 1)
      good.push(await ends.protect(frame))
    }
    // The oldest of the track's own make way, those of others stay.
    seen.splice(foreign, Math.max(0, seen.length + good.length - foreign - SEEN_FRAMES))
    seen.push(...good)
    for (let i = 0; i < DAMAGED_IN_A_ROUND && run < runs; i++, run++) {
      await open(damaged(chance, chance.of([seen, good])))
      if (ends.waiting() > MAX_WAITING) faults.add('too many wait')
    }
    for (const frame of good) {
      const name = await open(frame)
      // One that the relay has sent on as it was is a replay now.
      if (name !== 'opened' && name !== 'replayed') faults.add(`lost a good frame: ${name}`)
    }
    clock.advance(WAIT_MS)
  }
  for (const left of sent.values()) if (left > 0) faults.add('lost a good frame')
  if (ends.waiting() > 0) faults.add('waits for ever')
  return { outcomes, faults: [...faults] }
}

/** Frames of another source, member and epoch, and such as nobody protected. */
async function foreignFrames({
  mimeType,
  source,
  frames,
}: Pick<CodecSamples, 'mimeType' | 'source' | 'frames'>): Promise<Bytes[]> {
  const { clock } = new Pair()
  const keysOf = (epoch: bigint, leaf: number) => {
    const keys = new FrameKeys({ aead, clock })
    keys.installEpoch(epochOf(epoch, leaf))
    return keys
  }
  const protectors = [
    new FrameProtector(keysOf(1n, 0), source === 'camera' ? 'screen' : 'screen-audio'),
    new FrameProtector(keysOf(1n, 1), source),
    new FrameProtector(keysOf(1n, 2), source),
    new FrameProtector(keysOf(2n, 0), source),
    new FrameProtector(keysOf(200n, 0), source),
  ]
  const plain = frames[0] as Bytes
  const made = protectors.map(async (each) => frameOf(await each.protect(mimeType, plain)))
  return [plain, ...(await Promise.all(made))]
}
