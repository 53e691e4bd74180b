import { type Bytes, concatBytes } from '@conclave/core/codec'
import type { Layout, VectorPlace } from './layout.ts'
import { withContent } from './layout.ts'
import type { Random } from './random.ts'

/** A valid encoding to be damaged. */
export interface Sample {
  readonly bytes: Bytes
  readonly layout: Layout
}

/** Values at the edges of length headers, tags, counts and presence octets. */
const edges = [0, 1, 2, 3, 4, 5, 7, 10, 63, 64, 127, 128, 191, 192, 255]

/**
 * A damaged encoding: mostly one of the samples with one field changed in a way that its structure
 * allows, so that decoders are led deep into it, then up to two changes of any bytes.
 */
export function damage(random: Random, samples: readonly Sample[]): Bytes {
  const sample = random.pick(samples)
  const structured = random.below(10) < 7
  let damaged = structured ? damageStructure(random, sample, samples) : sample.bytes
  const changes = random.below(3) + (structured ? 0 : 1)
  for (let i = 0; i < changes; i++) damaged = damageBytes(random, damaged, samples)
  return damaged
}

function damageStructure(random: Random, sample: Sample, samples: readonly Sample[]): Bytes {
  const { bytes, layout } = sample
  if (layout.vectors.length === 0) return damageBytes(random, bytes, samples)
  const place = random.pick(layout.vectors)
  switch (random.below(6)) {
    case 0:
      return withHeader(random, bytes, place)
    case 1:
      return withNumber(random, sample)
    case 2:
      return bytes.slice(0, random.pick([place.at, place.start, place.end]))
    case 3:
      return withItems(random, bytes, place)
    case 4:
      return withContent(bytes, place, resized(random, bytes.subarray(place.start, place.end)))
    default:
      return spliced(random, sample, random.pick(samples))
  }
}

/** Another length header before the same bytes. */
function withHeader(random: Random, bytes: Bytes, { at, start, end }: VectorPlace): Bytes {
  const length = end - start
  const claimed = random.pick([
    length,
    length + 1,
    Math.max(0, length - 1),
    2 * length,
    0,
    63,
    64,
    16383,
    16384,
    2 ** 30 - 1,
    random.below(2 ** 30),
  ])
  // In any of its forms: the shortest, a longer one, one that cuts it off, or the reserved one.
  const form = random.below(4)
  const header = [0, 8, 16, 24, 32, 40, 48, 56]
    .slice(0, 2 ** form)
    .map((shift) => Math.floor(claimed / 2 ** shift) % 256)
    .reverse()
  header[0] = ((header[0] as number) & 0x3f) | (form << 6)
  return concatBytes(bytes.subarray(0, at), Uint8Array.from(header), bytes.subarray(start))
}

function withNumber(random: Random, { bytes, layout }: Sample): Bytes {
  if (layout.numbers.length === 0) return bytes
  const { at, size } = random.pick(layout.numbers)
  const changed = bytes.slice()
  // Edge values in the last byte keep a number small; elsewhere they make it large.
  changed[at + random.pick([size - 1, size - 1, random.below(size)])] = random.pick(edges)
  return changed
}

/** Without some items, with some twice, or with two in each other's place. */
function withItems(random: Random, bytes: Bytes, place: VectorPlace): Bytes {
  const { items, end } = place
  if (items.length === 0) return withContent(bytes, place, random.bytes(random.below(8)))
  const pieces = items.map((start, i) => bytes.subarray(start, items[i + 1] ?? end))
  const from = random.below(pieces.length)
  const [one, other] = [pieces[from] as Bytes, random.pick(pieces)]
  const replacement = random.pick([[], [one, one], [other, one], [other]])
  return withContent(bytes, place, concatBytes(...pieces.toSpliced(from, 1, ...replacement)))
}

function resized(random: Random, content: Bytes): Bytes {
  const added = random.bytes(1 + random.below(80))
  return random.pick([
    content.subarray(0, random.below(content.length + 1)),
    concatBytes(content, added),
    concatBytes(added, content),
    concatBytes(content, content),
  ])
}

/** A vector's content from another message. */
function spliced(random: Random, { bytes, layout }: Sample, donor: Sample): Bytes {
  if (donor.layout.vectors.length === 0) return bytes
  const { start, end } = random.pick(donor.layout.vectors)
  return withContent(bytes, random.pick(layout.vectors), donor.bytes.subarray(start, end))
}

function damageBytes(random: Random, bytes: Bytes, samples: readonly Sample[]): Bytes {
  if (bytes.length === 0) return random.bytes(random.below(8))
  const at = random.below(bytes.length)
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at)
  const changed = bytes.slice()
  switch (random.below(8)) {
    case 0:
      changed[at] = (bytes[at] as number) ^ (1 << random.below(8))
      return changed
    case 1:
      changed[at] = random.pick(edges)
      return changed
    case 2:
      changed[at] = random.below(256)
      return changed
    case 3:
      return concatBytes(before, random.bytes(1 + random.below(4)), after)
    case 4:
      return concatBytes(before, after.subarray(random.below(16)))
    case 5:
      return concatBytes(before, after.subarray(0, random.below(16)), after)
    case 6:
      return before.slice()
    default: {
      // The start of one message and the end of another.
      const other = random.pick(samples).bytes
      return concatBytes(before, other.subarray(random.below(other.length + 1)))
    }
  }
}
