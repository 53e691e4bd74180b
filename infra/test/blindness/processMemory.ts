import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const pagemapEntryBytes = 8
const pageBytes = 4096
/** Bits 63 and 62 of an entry of /proc/pid/pagemap: in memory, or swapped out. */
const heldBits = 0xc0
const readBytes = 4 << 20

interface Mapping {
  readonly start: number
  readonly end: number
}

/**
 * What a process has in memory: every page of its writable mappings that it has ever written, in
 * pieces that share one buffer. Heap snapshots have no contents of ArrayBuffers, and know nothing of
 * what native code holds.
 *
 * @throws Error where this is not Linux, or where it does not let us read the process
 */
export function* processMemory(pid: number): Generator<Uint8Array> {
  if (process.platform !== 'linux') throw new Error('only Linux shows a process’s memory in /proc')
  const mappings = writableMappings(pid)
  const buffer = Buffer.alloc(readBytes)
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const pagemap = openSync(`/proc/${pid}/pagemap`, 'r')
  try {
    for (const mapping of mappings) {
      for (const { start, end } of heldRanges(pagemap, mapping)) {
        for (let at = start; at < end; at += readBytes) {
          const read = readSome(memory, buffer, Math.min(readBytes, end - at), at)
          yield buffer.subarray(0, read)
        }
      }
    }
  } finally {
    closeSync(memory)
    closeSync(pagemap)
  }
}

/** The processes that a process has started. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return children === '' ? [] : children.split(' ').map(Number)
}

function writableMappings(pid: number): Mapping[] {
  const mappings: Mapping[] = []
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [, start = '', end = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
    const [from, to] = [Number.parseInt(start, 16), Number.parseInt(end, 16)]
    if (to > from) mappings.push({ start: from, end: to })
  }
  return mappings
}

/** Runs of pages that hold something: engines reserve far more than they use. */
function* heldRanges(pagemap: number, { start, end }: Mapping): Generator<Mapping> {
  const entries = Buffer.alloc(readBytes)
  const entriesAtOnce = readBytes / pagemapEntryBytes
  let from: number | undefined
  let page = start
  while (page < end) {
    const wanted = Math.min(entriesAtOnce, (end - page) / pageBytes) * pagemapEntryBytes
    const read = readSome(pagemap, entries, wanted, (page / pageBytes) * pagemapEntryBytes)
    if (read === 0) break
    for (let at = 0; at < read; at += pagemapEntryBytes, page += pageBytes) {
      const held = ((entries[at + pagemapEntryBytes - 1] as number) & heldBits) !== 0
      if (held) from ??= page
      else if (from !== undefined) {
        yield { start: from, end: page }
        from = undefined
      }
    }
  }
  if (from !== undefined) yield { start: from, end: page }
}

/** What was unmapped meanwhile reads as nothing. */
function readSome(file: number, buffer: Buffer, length: number, position: number): number {
  try {
    return readSync(file, buffer, 0, length, position)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EIO') return 0
    throw error
  }
}
