import { parseArgs } from 'node:util'
import { BenchError } from './benchError.ts'
import { type Operation, operations } from './operations.ts'
import { smallestWorld } from './world.ts'

export const usage = `npm run bench -- mls [options]

Measures core's MLS beside the floor, the unavoidable cryptography alone, on the same work.

  --members N,…  sizes of the group (default 8,32,100,200,500,1000)
  --vs ts-mls    measure ts-mls, too
  --only op,…    only these: ${operations.slice(0, 6).join(', ')},
                 ${operations.slice(6).join(', ')}
  --rounds N     measure each operation at most this often (default 30)
  --json         one JSON object a line, the first for machine and versions
  --markdown     tables for docs/benchmarks.md
  --help         this text`

export interface Arguments {
  readonly members: readonly number[]
  readonly only: ReadonlySet<Operation>
  readonly versus: readonly 'ts-mls'[]
  readonly rounds: number
  readonly format: 'table' | 'json' | 'markdown'
}

/**
 * What the command line asks for; undefined where it asks for help.
 * @throws BenchError `bench-arguments-wrong`
 */
export function readArguments(args: readonly string[]): Arguments | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  if (positionals.length !== 1 || positionals[0] !== 'mls') {
    throw wrong(`there is one benchmark, mls, not ${positionals.join(' ') || 'none'}`)
  }
  if (values.json && values.markdown) throw wrong('--json and --markdown exclude each other')
  return {
    members: (values.members ?? '8,32,100,200,500,1000')
      .split(',')
      .map((members) => wholeNumber('--members', members, smallestWorld, 5000)),
    only: new Set(values.only === undefined ? operations : values.only.split(',').map(operation)),
    versus: values.vs === undefined ? [] : [peer(values.vs)],
    rounds: wholeNumber('--rounds', values.rounds ?? '30', 1, 1000),
    format: values.json ? 'json' : values.markdown ? 'markdown' : 'table',
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        members: { type: 'string' },
        vs: { type: 'string' },
        only: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'boolean', default: false },
        markdown: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw wrong(`${option} takes numbers from ${least} to ${most}, not '${text}'`)
}

function operation(name: string): Operation {
  const known = operations.find((known) => known === name)
  if (known === undefined) throw wrong(`there is no operation '${name}'`)
  return known
}

function peer(name: string): 'ts-mls' {
  if (name === 'ts-mls') return name
  throw wrong(`there is no comparison with '${name}', only with ts-mls`)
}

function wrong(message: string): BenchError {
  return new BenchError('bench-arguments-wrong', message)
}
