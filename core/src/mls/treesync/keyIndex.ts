import type { Bytes } from '../../codec/bytes.ts'

/** Entries in a chunk at which it is divided in two, and below which two are joined. */
const maxChunk = 64
const minChunk = 24

/** Neighbours in the order of their keys, each with the number that its key begins with. */
interface Chunk<Entry> {
  readonly entries: readonly Entry[]
  readonly prefixes: readonly number[]
}

/**
 * Entries in the order of their keys, each of which may occur several times. Immutable: a change
 * gives another index that shares all but one chunk. Order, unlike a hash, gives nobody who
 * chooses keys a way to make it slow.
 */
export class KeyIndex<Entry> {
  readonly #keyOf: (entry: Entry) => Bytes
  readonly #chunks: readonly Chunk<Entry>[]
  /** How many entries have a key that another entry before them has. */
  readonly duplicates: number

  private constructor(
    keyOf: (entry: Entry) => Bytes,
    chunks: readonly Chunk<Entry>[],
    duplicates: number,
  ) {
    this.#keyOf = keyOf
    this.#chunks = chunks
    this.duplicates = duplicates
  }

  static of<Entry>(keyOf: (entry: Entry) => Bytes, entries: readonly Entry[]): KeyIndex<Entry> {
    const keyed = entries.map((entry) => {
      const key = keyOf(entry)
      return { entry, key, prefix: prefixOf(key) }
    })
    keyed.sort((a, b) => a.prefix - b.prefix || compareBytes(a.key, b.key))
    const chunks: Chunk<Entry>[] = []
    for (let from = 0; from < keyed.length; from += maxChunk / 2) {
      const part = keyed.slice(from, from + maxChunk / 2)
      chunks.push({
        entries: part.map(({ entry }) => entry),
        prefixes: part.map(({ prefix }) => prefix),
      })
    }
    const duplicates = keyed.filter(({ key }, i) => {
      const before = keyed[i - 1]
      return before !== undefined && compareBytes(before.key, key) === 0
    }).length
    return new KeyIndex(keyOf, chunks, duplicates)
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#chunks.flatMap(({ entries }) => entries).values()
  }

  /** An entry with this key. */
  find(key: Bytes): Entry | undefined {
    return this.#at(this.#lowerBound(key), key)
  }

  with(entry: Entry): KeyIndex<Entry> {
    const key = this.#keyOf(entry)
    const bound = this.#lowerBound(key)
    const known = this.#at(bound, key) !== undefined
    // Beyond the last entry there is no chunk, so that the last one takes what comes after it.
    const into = Math.max(0, Math.min(bound.chunk, this.#chunks.length - 1))
    const { entries, prefixes } = this.#chunks[into] ?? { entries: [], prefixes: [] }
    const at = bound.chunk === into ? bound.at : entries.length
    const grown = {
      entries: entries.toSpliced(at, 0, entry),
      prefixes: prefixes.toSpliced(at, 0, prefixOf(key)),
    }
    const parts =
      grown.entries.length < maxChunk
        ? [grown]
        : [sliceOf(grown, 0, maxChunk / 2), sliceOf(grown, maxChunk / 2, maxChunk)]
    const chunks = this.#chunks.toSpliced(into, 1, ...parts)
    return new KeyIndex(this.#keyOf, chunks, this.duplicates + (known ? 1 : 0))
  }

  /** Without this entry; another one with the same key stays. */
  without(entry: Entry): KeyIndex<Entry> {
    const key = this.#keyOf(entry)
    // Entries with the same key may go on into the chunks that follow.
    let { chunk } = this.#lowerBound(key)
    while (chunk < this.#chunks.length && !this.#chunks[chunk]?.entries.includes(entry)) chunk++
    const found = this.#chunks[chunk]
    if (found === undefined) return this
    const at = found.entries.indexOf(entry)
    const shrunk = {
      entries: found.entries.toSpliced(at, 1),
      prefixes: found.prefixes.toSpliced(at, 1),
    }
    const next = this.#chunks[chunk + 1]
    const joins = next !== undefined && shrunk.entries.length + next.entries.length < minChunk
    const parts = joins ? [joined(shrunk, next)] : shrunk.entries.length === 0 ? [] : [shrunk]
    const chunks = this.#chunks.toSpliced(chunk, joins ? 2 : 1, ...parts)
    const { duplicates } = this
    const index = new KeyIndex(this.#keyOf, chunks, duplicates)
    return duplicates > 0 && index.find(key) !== undefined
      ? new KeyIndex(this.#keyOf, chunks, duplicates - 1)
      : index
  }

  #at({ chunk, at }: Position, key: Bytes): Entry | undefined {
    const entry = this.#chunks[chunk]?.entries[at]
    return entry !== undefined && compareBytes(this.#keyOf(entry), key) === 0 ? entry : undefined
  }

  /** Where the first entry stands whose key is not before `key`. */
  #lowerBound(key: Bytes): Position {
    const prefix = prefixOf(key)
    // Keys are read only where their prefixes leave it open which of them is first.
    const isBefore = ({ entries, prefixes }: Chunk<Entry>, i: number) => {
      const difference = (prefixes[i] as number) - prefix
      return (
        difference < 0 ||
        (difference === 0 && compareBytes(this.#keyOf(entries[i] as Entry), key) < 0)
      )
    }
    const chunk = firstNot(this.#chunks.length, (i) => {
      const candidate = this.#chunks[i] as Chunk<Entry>
      return isBefore(candidate, candidate.entries.length - 1)
    })
    const within = this.#chunks[chunk]
    const at =
      within === undefined ? 0 : firstNot(within.entries.length, (i) => isBefore(within, i))
    return { chunk, at }
  }
}

interface Position {
  readonly chunk: number
  readonly at: number
}

function sliceOf<Entry>({ entries, prefixes }: Chunk<Entry>, from: number, to: number) {
  return { entries: entries.slice(from, to), prefixes: prefixes.slice(from, to) }
}

function joined<Entry>(a: Chunk<Entry>, b: Chunk<Entry>): Chunk<Entry> {
  return { entries: [...a.entries, ...b.entries], prefixes: [...a.prefixes, ...b.prefixes] }
}

/** The first position below `length` for which `before` does not hold, which it does up to some one. */
function firstNot(length: number, before: (position: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(middle)) low = middle + 1
    else high = middle
  }
  return low
}

const prefixLength = 6

/** The first bytes of a key as a number; never greater than that of a key that comes later. */
function prefixOf(key: Bytes): number {
  let prefix = 0
  for (let i = 0; i < prefixLength; i++) prefix = prefix * 256 + (key[i] ?? 0)
  return prefix
}

/** Negative where `a` stands before `b`. Keys are public, so that an early exit tells nothing. */
function compareBytes(a: Bytes, b: Bytes): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}
