import { inspect, isDeepStrictEqual } from 'node:util'
import type { Site } from './site.ts'

/** Something that the protocol promises and that can be seen from outside. */
export interface Check {
  /** Stable name, `subject.promise`. */
  readonly id: string
  /** The promise. */
  readonly promise: string
  /** Where PROTOCOL.md makes it. */
  readonly section: Section
  /** What has to be known of the keyserver; without it the check is skipped. */
  readonly needs?: Need
  /** It takes the grace period, once or twice. */
  readonly waitsForGrace?: boolean
  readonly run: (site: Site) => Promise<void>
}

/** Headings of PROTOCOL.md. */
export type Section =
  | 'Connection'
  | 'Versions'
  | 'Requests'
  | 'Notices'
  | 'Order'
  | 'What is checked'
  | 'Presence'
  | 'Commits that cannot be applied (1.1)'
  | 'Entries that the log has lost (1.1)'
  | 'Application messages (1.2)'
  | 'Removal by a host (1.3)'
  | 'Continuing a group (1.4)'
  | 'KeyPackage directory (1.1)'
  | 'Refusals'

export type Need =
  /** The secret that tokens are signed with. */
  | 'secret'
  /** Tokens for several people. */
  | 'people'
  /** Whether acknowledged entries survive a crash. */
  | 'durable'
  /** How long a member may go without a commit of its own. */
  | 'idle'

/** What a check has seen is not what the protocol promises. */
export class NotConforming extends Error {
  override readonly name = 'NotConforming'
  readonly expected: string
  readonly seen: string

  constructor(what: string, expected: unknown, seen: unknown) {
    const [wanted, found] = [shown(expected), shown(seen)]
    super(`${what}: expected ${wanted}, saw ${found}`)
    this.expected = `${what}: ${wanted}`
    this.seen = found
  }
}

/** @throws NotConforming unless both are deeply equal */
export function same(what: string, seen: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(seen, expected)) throw new NotConforming(what, expected, seen)
}

/** @throws NotConforming unless `seen` has these fields with these values, and any others */
export function has(
  what: string,
  seen: unknown,
  expected: Readonly<Record<string, unknown>>,
): void {
  const fields =
    typeof seen === 'object' && seen !== null ? new Map(Object.entries(seen)) : undefined
  for (const [name, value] of Object.entries(expected)) {
    if (!isDeepStrictEqual(fields?.get(name), value)) throw new NotConforming(what, expected, seen)
  }
}

/** @throws NotConforming with `promise` as what was expected */
export function holds(what: string, condition: boolean, promise: string, seen: unknown): void {
  if (!condition) throw new NotConforming(what, promise, seen)
}

/** Short, and bytes as hexadecimal digits. */
function shown(value: unknown): string {
  if (typeof value === 'string') return value
  return inspect(brief(value), { depth: 4, breakLength: Number.POSITIVE_INFINITY })
}

const shownBytes = 12
const shownCharacters = 60

function brief(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.subarray(0, shownBytes)).toString('hex')
    return value.length > shownBytes ? `${hex}… (${value.length} bytes)` : hex
  }
  if (typeof value === 'string' && value.length > shownCharacters) {
    return `${value.slice(0, shownCharacters)}…`
  }
  if (Array.isArray(value)) return value.map(brief)
  if (typeof value !== 'object' || value === null || value instanceof Error) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, brief(field)]))
}
