import { choice, commonOptions, type Format, formatOf, parsed, wholeNumber } from '../arguments.ts'
import type { StoreName } from './stage.ts'

export const keyserverUsage = `npm run bench -- keyserver [options]

Measures a keyserver in a process of its own beside the floor: a bare socket.io server that gets and
gives the same bytes, verifies as many signatures, and with --redis appends by one Lua script.

  --redis        both on a redis-server with appendfsync always; otherwise in memory
  --members N    connections that follow one meeting (default 500)
  --meetings N,… meetings in which somebody commits at the same time (default 1,10,100)
  --entries N    how far behind a client is that catches up (default 1000)
  --only part,…  only these: commit.accept, fanout, reconnect, resume
  --rounds N     blocks in which keyserver and floor take turns (default 6)
  --json         one JSON object a line, the first for machine and versions
  --markdown     a table for docs/benchmarks.md
  --help         this text`

export const parts = ['commit.accept', 'fanout', 'reconnect', 'resume'] as const
export type Part = (typeof parts)[number]

export interface KeyserverArguments {
  readonly store: StoreName
  readonly members: number
  readonly meetings: readonly number[]
  readonly entries: number
  readonly only: ReadonlySet<Part>
  readonly rounds: number
  readonly format: Format
}

/**
 * What the command line asks for after `keyserver`; undefined where it asks for help.
 * @throws BenchError `bench-arguments-wrong`
 */
export function readKeyserverArguments(args: readonly string[]): KeyserverArguments | undefined {
  const values = parse(args)
  if (values.help) return undefined
  return {
    store: values.redis ? 'redis' : 'memory',
    members: wholeNumber('--members', values.members ?? '500', 2, 1000),
    meetings: (values.meetings ?? '1,10,100')
      .split(',')
      .map((meetings) => wholeNumber('--meetings', meetings, 1, 1000)),
    entries: wholeNumber('--entries', values.entries ?? '1000', 1, 5000),
    only: new Set(values.only === undefined ? parts : values.only.split(',').map(partOf)),
    rounds: wholeNumber('--rounds', values.rounds ?? '6', 1, 100),
    format: formatOf(values),
  }
}

function parse(args: readonly string[]) {
  return parsed({
    args: [...args],
    options: {
      ...commonOptions,
      redis: { type: 'boolean', default: false },
      members: { type: 'string' },
      meetings: { type: 'string' },
      entries: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
    },
  }).values
}

function partOf(name: string): Part {
  return choice(parts, name, 'part')
}
