import { closeSync, openSync, readSync } from 'node:fs'

const readBytes = 4 << 20
const backslash = 0x5c
/** The longest escape, `\uXXXX`. */
const escapeBytes = 6
const named = new Map(
  Object.entries({ b: 0x08, f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09 }).map(([name, byte]) => [
    name.charCodeAt(0),
    byte,
  ]),
)
const unicode = 'u'.charCodeAt(0)

/**
 * A V8 heap snapshot's text, in which strings stand as the program has them: the JSON's escapes are
 * undone, so that a secret in a string of bytes is whole. The pieces share one buffer.
 */
export function* heapSnapshotText(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r')
  const buffer = Buffer.alloc(readBytes)
  let kept = 0
  try {
    for (;;) {
      const read = readSync(file, buffer, kept, readBytes - kept, null)
      const text = buffer.subarray(0, kept + read)
      const { written, taken } = undoEscapes(text, read === 0)
      yield text.subarray(0, written)
      if (read === 0) return
      kept = text.length - taken
      buffer.copyWithin(0, taken, text.length)
    }
  } finally {
    closeSync(file)
  }
}

/** In place. What is `taken` excludes an escape that goes on in what has not been read. */
function undoEscapes(text: Buffer, isLast: boolean): { written: number; taken: number } {
  let [written, taken] = [0, 0]
  for (;;) {
    const escaped = text.indexOf(backslash, taken)
    const end = escaped < 0 ? text.length : escaped
    text.copyWithin(written, taken, end)
    written += end - taken
    taken = end
    if (escaped < 0 || (!isLast && text.length - escaped < escapeBytes)) return { written, taken }
    const kind = text[escaped + 1] ?? 0
    if (kind === unicode) {
      const unit = Number.parseInt(text.toString('latin1', escaped + 2, escaped + escapeBytes), 16)
      if (unit > 0xff) text[written++] = unit >> 8
      text[written++] = unit & 0xff
      taken += escapeBytes
    } else {
      text[written++] = named.get(kind) ?? kind
      taken += 2
    }
  }
}
