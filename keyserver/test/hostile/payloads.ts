import { type Bytes, CodecError } from '@conclave/core/codec'
import { MlsMessage, RatchetTree } from '@conclave/core/wire'
import { damage, type Sample } from '../../../core/test/wire/mutation/damage.ts'
import { layoutOf } from '../../../core/test/wire/mutation/layout.ts'
import { Random } from '../../../core/test/wire/mutation/random.ts'
import type { Payload } from './arena.ts'
import type { Twist } from './cases.ts'

/** What a hostile client can draw from. */
export interface Arsenal {
  /** Valid requests of this name, for the meeting that the client is in. */
  readonly valid: readonly Payload[]
  /** Byte strings of other epochs, groups and meetings. */
  readonly stale: readonly Uint8Array[]
}

/** The arguments of a request: from a valid one, or something else altogether. */
export function argumentsOf(
  twist: Twist,
  chance: number,
  { valid, stale }: Arsenal,
): readonly unknown[] {
  const random = new Random(chance, 0)
  if (valid.length === 0 || twist === 'payload') return [oddValue(random)]
  const payload = random.pick(valid)
  switch (twist) {
    case 'valid':
      return [payload]
    case 'field':
      return [{ ...payload, [random.pick(Object.keys(payload))]: oddValue(random) }]
    case 'damaged':
      return [damaged(random, payload)]
    case 'swapped':
      return [withBytes(random, payload, () => random.pick(bytesIn(...valid)) ?? new Uint8Array(0))]
    case 'stale':
      return [withBytes(random, payload, (own) => (stale.length > 0 ? random.pick(stale) : own))]
    case 'missing': {
      const gone = random.pick(Object.keys(payload))
      return [Object.fromEntries(Object.entries(payload).filter(([name]) => name !== gone))]
    }
    case 'undeclared':
      return [{ ...payload, [random.pick(oddNames)]: oddValue(random) }]
    case 'arguments':
      return random.pick([[], [payload, payload], [payload, null], [[payload]], [null]])
  }
}

/** Arguments of an event that there is not. */
export function oddArguments(chance: number): readonly unknown[] {
  const random = new Random(chance, 1)
  return Array.from({ length: random.below(3) }, () => oddValue(random))
}

const oddNames = ['__proto__', 'constructor', 'toJSON', 'then', 'length', 'ok', 'x'.repeat(1000)]

function oddValue(random: Random): unknown {
  return random.pick(oddValues)(random)
}

const oddValues: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 0.5,
  () => 2 ** 31,
  () => 2 ** 32,
  () => Number.MAX_SAFE_INTEGER,
  () => 2 ** 53,
  () => 1e308,
  // JSON has null for these.
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => '',
  () => 'quiet',
  () => '\ud800',
  () => '💥'.repeat(64),
  (random) => 'x'.repeat(random.pick([255, 256, 257, 70_000])),
  () => [],
  () => {},
  () => ({}),
  () => ({ length: 5, byteLength: 5 }),
  () => ({ type: 'Buffer', data: [1, 2, 3] }),
  () => ({ _placeholder: true, num: 99 }),
  () => JSON.parse('{"__proto__":{"groupId":1}}'),
  () => JSON.parse('['.repeat(500) + ']'.repeat(500)),
  (random) => random.bytes(random.pick([0, 1, 15, 16, 17, 32, 64, 256, 257])),
  (random) => new Uint8Array(random.pick([16_385, 100_000])),
  // Rarely, for they take long.
  (random) => new Uint8Array(random.below(8) === 0 ? (1 << 20) + random.below(2) : 4),
]

/** The payload with one of its byte strings changed as its structure allows. */
function damaged(random: Random, payload: Payload): Payload {
  const samples = bytesIn(payload).map(sampleOf)
  return withBytes(random, payload, (own) =>
    damage(random, random.below(4) > 0 ? [sampleOf(own)] : samples),
  )
}

function withBytes(
  random: Random,
  payload: Payload,
  change: (own: Uint8Array) => Uint8Array,
): Payload {
  const names = Object.keys(payload).filter((name) => payload[name] instanceof Uint8Array)
  if (names.length === 0) return payload
  const name = random.pick(names)
  const own = payload[name]
  return own instanceof Uint8Array ? { ...payload, [name]: change(own) } : payload
}

function bytesIn(...payloads: readonly Payload[]): readonly Uint8Array[] {
  return payloads.flatMap((payload) =>
    Object.values(payload).filter((value) => value instanceof Uint8Array),
  )
}

const laidOut = new WeakMap<Uint8Array, Sample>()

function sampleOf(value: Uint8Array): Sample {
  const known = laidOut.get(value)
  if (known !== undefined) return known
  const bytes: Bytes = Uint8Array.from(value)
  const sample = { bytes, layout: layoutIn(bytes) }
  laidOut.set(value, sample)
  return sample
}

/** Where its fields stand, for what is MLS. */
function layoutIn(bytes: Bytes): Sample['layout'] {
  for (const codec of [MlsMessage, RatchetTree]) {
    try {
      return layoutOf(codec, bytes)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
    }
  }
  return { vectors: [], numbers: [] }
}
