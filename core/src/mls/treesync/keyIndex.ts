import type { Bytes } from '../../codec/bytes.ts'

/** Entries in a chunk at which it is divided in two, and below which two are joined. */
const maxChunk = 64
const minChunk = 24

/**
 * Entries in the order of their keys, each of which may occur several times. Immutable: a change
 * gives another index that shares all but one chunk. Order, unlike a hash, gives nobody who
 * chooses keys a way to make it slow.
 */
export class KeyIndex<Entry> {
  readonly #keyOf: (entry: Entry) => Bytes
  readonly #chunks: readonly (readonly Entry[])[]
  /** How many entries have a key that another entry before them has. */
  readonly duplicates: number

  private constructor(
    keyOf: (entry: Entry) => Bytes,
    chunks: readonly (readonly Entry[])[],
    duplicates: number,
  ) {
    this.#keyOf = keyOf
    this.#chunks = chunks
    this.duplicates = duplicates
  }

  static of<Entry>(keyOf: (entry: Entry) => Bytes, entries: readonly Entry[]): KeyIndex<Entry> {
    const keyed = entries.map((entry) => ({ entry, key: keyOf(entry) }))
    keyed.sort((a, b) => compareBytes(a.key, b.key))
    const chunks: Entry[][] = []
    let duplicates = 0
    keyed.forEach(({ entry, key }, i) => {
      if (i % (maxChunk / 2) === 0) chunks.push([])
      chunks.at(-1)?.push(entry)
      const before = keyed[i - 1]
      if (before !== undefined && compareBytes(before.key, key) === 0) duplicates++
    })
    return new KeyIndex(keyOf, chunks, duplicates)
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#chunks.flat().values()
  }

  /** An entry with this key. */
  find(key: Bytes): Entry | undefined {
    const { chunk, at } = this.#lowerBound(key)
    const entry = this.#chunks[chunk]?.[at]
    return entry !== undefined && compareBytes(this.#keyOf(entry), key) === 0 ? entry : undefined
  }

  with(entry: Entry): KeyIndex<Entry> {
    const key = this.#keyOf(entry)
    const known = this.find(key) !== undefined
    const { chunk, at } = this.#lowerBound(key)
    // Beyond the last entry there is no chunk, so that the last one takes what comes after it.
    const into = Math.min(chunk, this.#chunks.length - 1)
    const entries = this.#chunks[into] ?? []
    const grown = entries.toSpliced(chunk === into ? at : entries.length, 0, entry)
    const parts =
      grown.length < maxChunk ? [grown] : [grown.slice(0, maxChunk / 2), grown.slice(maxChunk / 2)]
    const chunks = this.#chunks.toSpliced(Math.max(into, 0), 1, ...parts)
    return new KeyIndex(this.#keyOf, chunks, this.duplicates + (known ? 1 : 0))
  }

  /** Without this entry; another one with the same key stays. */
  without(entry: Entry): KeyIndex<Entry> {
    const key = this.#keyOf(entry)
    // Entries with the same key may go on into the chunks that follow.
    let { chunk } = this.#lowerBound(key)
    while (chunk < this.#chunks.length && !this.#chunks[chunk]?.includes(entry)) chunk++
    const entries = this.#chunks[chunk]
    if (entries === undefined) return this
    const shrunk = entries.toSpliced(entries.indexOf(entry), 1)
    const next = this.#chunks[chunk + 1]
    const joins = next !== undefined && shrunk.length + next.length < minChunk
    const parts = joins ? [[...shrunk, ...next]] : shrunk.length === 0 ? [] : [shrunk]
    const chunks = this.#chunks.toSpliced(chunk, joins ? 2 : 1, ...parts)
    const { duplicates } = this
    const index = new KeyIndex(this.#keyOf, chunks, duplicates)
    return duplicates > 0 && index.find(key) !== undefined
      ? new KeyIndex(this.#keyOf, chunks, duplicates - 1)
      : index
  }

  /** Where the first entry stands whose key is not before `key`. */
  #lowerBound(key: Bytes): { chunk: number; at: number } {
    const isBefore = (entry: Entry) => compareBytes(this.#keyOf(entry), key) < 0
    const chunk = firstNot(this.#chunks, (entries) => isBefore(entries.at(-1) as Entry))
    return { chunk, at: firstNot(this.#chunks[chunk] ?? [], isBefore) }
  }
}

/** The position of the first item for which `before` does not hold, which it does up to some item. */
function firstNot<T>(items: readonly T[], before: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(items[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
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
