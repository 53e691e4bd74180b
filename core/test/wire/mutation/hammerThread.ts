import { getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import {
  type Bytes,
  type Codec,
  CodecError,
  decode,
  encode,
  equalBytes,
} from '@conclave/core/codec'
import { damage, type Sample } from './damage.ts'
import { decoders } from './decoders.ts'
import { faultyDecoders } from './faultyDecoders.ts'
import type { Failure, Figures, ThreadData, ThreadResult } from './hammer.ts'
import { layoutOf } from './layout.ts'
import { Random } from './random.ts'

const { name, seed, runs, run, input }: ThreadData = workerData

/** What a run may allocate, garbage included: the runtime's own needs, then per byte of input. */
const allowance = { fixed: 2 ** 22, perByte: 256 }

const decoder = decoders[name] ?? faultyDecoders[name]
if (decoder === undefined) throw new TypeError(`no decoder ${name}`)
const { codec } = decoder
const samples: Sample[] = decoder
  .samples()
  .map((bytes) => ({ bytes, layout: layoutOf(codec, bytes) }))

const figures: Figures = { accepted: 0, refused: {}, mostAllocated: 0, slowestMs: 0 }
let failure: Failure | undefined
for (let i = 0; i < runs && failure === undefined; i++) {
  const damaged = damage(new Random(seed, i), samples)
  input.set(damaged)
  Atomics.store(run, 1, damaged.length)
  Atomics.store(run, 0, i)
  const wrong = tried(codec, damaged)
  if (wrong !== undefined) failure = { ...wrong, run: i }
}
const result: ThreadResult = { figures, ...(failure && { failure }) }
parentPort?.postMessage(result)

/** Decodes once, and encodes again what was read. */
function tried(tested: Codec<unknown>, bytes: Bytes): Omit<Failure, 'run'> | undefined {
  const before = allocated()
  const started = performance.now()
  const outcome = outcomeOf(() => decode(tested, bytes))
  figures.slowestMs = Math.max(figures.slowestMs, performance.now() - started)
  const taken = allocated() - before
  figures.mostAllocated = Math.max(figures.mostAllocated, taken)
  if (taken > allowance.fixed + allowance.perByte * bytes.length) {
    return { kind: 'over-allocation', message: `${taken} bytes for ${bytes.length}` }
  }

  if ('error' in outcome) {
    const { error } = outcome
    if (!(error instanceof CodecError) || error.code === 'codec-unencodable') {
      return { kind: 'foreign-error', message: String(error) }
    }
    figures.refused[error.code] = (figures.refused[error.code] ?? 0) + 1
    return undefined
  }
  figures.accepted++
  // A copy: a value that was read may be written by the bytes that it was read from.
  const again = outcomeOf(() => encode(tested, structuredClone(outcome.value)))
  if ('error' in again) return { kind: 'not-strict', message: String(again.error) }
  if (!equalBytes(again.value, bytes)) return { kind: 'not-strict', message: 'encodes otherwise' }
  return undefined
}

function outcomeOf<T>(attempt: () => T): { value: T } | { error: unknown } {
  try {
    return { value: attempt() }
  } catch (error) {
    return { error }
  }
}

/** Bytes taken so far, what is garbage by now included. */
function allocated(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}
