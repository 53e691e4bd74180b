import { describe, expect, it } from 'vitest'
import { report, runsOr, seed } from '../campaign.ts'
import { decoders } from './mutation/decoders.ts'
import { hammer } from './mutation/hammer.ts'

const runs = runsOr(20_000)

describe('a damaged encoding is a CodecError or has exactly one encoding, in bounded time and memory', () => {
  // Each in a thread of its own.
  it.concurrent.for(Object.keys(decoders))('%s', async (name, context) => {
    const { figures, failure } = await hammer({ name, seed, runs, patienceMs: 20_000 })
    expect(failure, `seed ${seed}`).toBeUndefined()
    const { accepted, refused, mostAllocated, slowestMs } = figures
    report(context, { runs, accepted, ...refused, mostAllocated, slowestMs })
    // Both have to occur often, or the damage is too weak or too strong to show anything.
    expect(accepted).toBeGreaterThan(runs / 40)
    expect(runs - accepted).toBeGreaterThan(runs / 40)
  })
})
