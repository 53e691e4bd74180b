import { type Needle, needlesOf, type SecretForm, shortestSecret } from './secretForms.ts'

export interface Finding<Secret> {
  readonly secret: Secret
  readonly form: SecretForm
  /** Where in what was searched, in bytes. */
  readonly offset: number
}

interface Match<Secret> {
  readonly from: number
  readonly needle: Needle & { readonly secret: Secret }
}

const wordBytes = 4
/** 2^24 bits, 2 MB: with 10^5 needles one place in 40 passes that is none. */
const filterBits = 24
const filterShift = 32 - filterBits

/**
 * Looks for thousands of secrets in hundreds of megabytes at once. Texts are read by words: a needle
 * holds two whole ones in a row, whichever of its first four bytes begins a word. Each two words'
 * hash is asked of a bit field; the few that it lets through are looked up, and compared in full.
 */
export class SecretScanner<Secret> {
  readonly #filter = new Uint8Array(2 ** (filterBits - 3))
  readonly #needles: (Needle & { readonly secret: Secret })[] = []
  /** The newest place of this hash; a place is four times a needle's index, and a shift in it. */
  readonly #newest = new Map<number, number>()
  /** For each place the one of the same hash before it, or -1. */
  readonly #before: number[] = []
  #longest: number = shortestSecret

  /** How many needles are looked for. */
  get size(): number {
    return this.#needles.length
  }

  /** @throws RangeError for what is too short to be told from chance */
  add(bytes: Uint8Array, secret: Secret): void {
    if (bytes.length < shortestSecret) throw new RangeError(`${bytes.length} bytes are too few`)
    for (const needle of needlesOf(bytes)) {
      for (let shift = 0; shift < wordBytes; shift++) this.#index(needle.bytes, shift)
      this.#needles.push({ secret, ...needle })
      this.#longest = Math.max(this.#longest, needle.bytes.length)
    }
  }

  /** All of a text at once. */
  scan(text: Uint8Array): Finding<Secret>[] {
    return this.begin()(text)
  }

  /**
   * Begins a text that comes in pieces, which may share a buffer: only the one at hand need be in
   * memory. What is returned takes the next piece, and returns what has been found since the last.
   */
  begin(): (piece: Uint8Array) => Finding<Secret>[] {
    const overlap = this.#longest - 1
    /** The end of what came before: a needle may begin in it. */
    let tail = Buffer.alloc(0)
    let offset = 0
    return (piece) => {
      const findings: Finding<Secret>[] = []
      const found = (from: number, { secret, form }: Match<Secret>['needle']) =>
        findings.push({ secret, form, offset: from })
      const seam = Buffer.concat([tail, piece.subarray(0, overlap)])
      for (const { from, needle } of this.#matches(seam)) {
        const crosses = from < tail.length && from + needle.bytes.length > tail.length
        if (crosses) found(offset - tail.length + from, needle)
      }
      for (const { from, needle } of this.#matches(piece)) found(offset + from, needle)
      offset += piece.length
      tail = Buffer.concat([tail, piece.subarray(-overlap)]).subarray(-overlap)
      return findings
    }
  }

  #index(needle: Uint8Array, shift: number): void {
    const words = wordsOf(needle.slice(shift, shift + 2 * wordBytes))
    const hash = hashOf(words[0] as number, words[1] as number)
    const bit = hash >>> filterShift
    this.#filter[bit >>> 3] = (this.#filter[bit >>> 3] as number) | (1 << (bit & 7))
    const place = wordBytes * this.#needles.length + shift
    this.#before[place] = this.#newest.get(hash) ?? -1
    this.#newest.set(hash, place)
  }

  *#matches(text: Uint8Array): Generator<Match<Secret>> {
    const words = wordsOf(text)
    let at = 0
    for (;;) {
      at = nextCandidate(words, at, this.#filter)
      if (at < 0) return
      const hash = hashOf(words[at] as number, words[at + 1] as number)
      let place = this.#newest.get(hash) ?? -1
      for (; place >= 0; place = this.#before[place] as number) {
        const needle = this.#needles[Math.floor(place / wordBytes)] as Needle & { secret: Secret }
        const from = wordBytes * at - (place % wordBytes)
        if (from < 0) continue
        const there = text.subarray(from, from + needle.bytes.length)
        if (Buffer.compare(there, needle.bytes) === 0) yield { from, needle }
      }
      at += 1
    }
  }
}

/** The first two words at or after `from` that may belong to a needle, or -1. */
function nextCandidate(words: Int32Array, from: number, filter: Uint8Array): number {
  const last = words.length - 1
  if (from >= last) return -1
  let word = words[from] as number
  for (let at = from; at < last; at++) {
    const next = words[at + 1] as number
    const bit = hashOf(word, next) >>> filterShift
    if ((((filter[bit >>> 3] as number) >>> (bit & 7)) & 1) !== 0) return at
    word = next
  }
  return -1
}

/** Whole words alone. */
function wordsOf(text: Uint8Array): Int32Array {
  const aligned = text.byteOffset % wordBytes === 0 ? text : new Uint8Array(text)
  return new Int32Array(aligned.buffer, aligned.byteOffset, Math.floor(text.length / wordBytes))
}

/** Spreads two words over 32 bits, of which the filter takes the upper ones. */
function hashOf(word: number, next: number): number {
  return Math.imul(word, 0x9e3779b1) ^ Math.imul(next ^ (next >>> 15), 0x85ebca6b)
}
