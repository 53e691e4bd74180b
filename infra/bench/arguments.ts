import { optionReader } from '../optionReader.ts'
import { BenchError } from './benchError.ts'
import { type ProviderName, providerNames } from './contestants.ts'
import { type Operation, operations } from './operations.ts'
import { smallestWorld } from './world.ts'

export const usage = `npm run bench -- mls [options]
npm run bench -- keyserver [options]   (keyserver --help names them)
npm run bench -- sframe [options]      (sframe --help names them)

Measures core's MLS beside the floor, the unavoidable cryptography alone, on the same work.

  --members N,…  sizes of the group (default 8,32,100,200,500,1000;
                 100,500 in chromium; 100 with web or noble)
  --vs ts-mls    measure ts-mls, too
  --provider P   core's cryptography in Node: ${providerNames.join(', ')} (default node)
  --in chromium  measure in the system's Chromium, with WebCrypto
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
  /** With what core does its cryptography, and where. */
  readonly platform: ProviderName | 'chromium'
  readonly format: Format
}

/**
 * What the command line asks for; undefined where it asks for help.
 * @throws BenchError `bench-arguments-wrong`
 */
export function readArguments(args: readonly string[]): Arguments | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  if (positionals.length !== 1 || positionals[0] !== 'mls') {
    throw wrong(`there are mls, keyserver and sframe, not ${positionals.join(' ') || 'none'}`)
  }
  const format = formatOf(values)
  const platform = platformOf(values.in, values.provider)
  if (platform === 'chromium' && values.vs !== undefined) {
    throw wrong('--vs compares in Node, not in chromium')
  }
  return {
    members: (values.members ?? defaultMembers[platform])
      .split(',')
      .map((members) => wholeNumber('--members', members, smallestWorld, 5000)),
    only: new Set(values.only === undefined ? operations : values.only.split(',').map(operation)),
    versus: values.vs === undefined ? [] : [peer(values.vs)],
    rounds: wholeNumber('--rounds', values.rounds ?? '30', 1, 1000),
    platform,
    format,
  }
}

export type Format = 'table' | 'json' | 'markdown'

export function formatOf(values: { readonly json: boolean; readonly markdown: boolean }): Format {
  if (values.json && values.markdown) throw wrong('--json and --markdown exclude each other')
  return values.json ? 'json' : values.markdown ? 'markdown' : 'table'
}

const defaultMembers: Readonly<Record<Arguments['platform'], string>> = {
  node: '8,32,100,200,500,1000',
  web: '100',
  noble: '100',
  chromium: '100,500',
}

function platformOf(place: string | undefined, provider: string | undefined) {
  if (place === undefined) return providerOf(provider ?? 'node')
  if (place !== 'chromium') throw wrong(`nothing can be measured in '${place}', only in chromium`)
  if (provider !== undefined) throw wrong('--in chromium and --provider exclude each other')
  return place
}

function providerOf(name: string): ProviderName {
  return choice(providerNames, name, 'provider')
}

export function choice<T extends string>(all: readonly T[], name: string, what: string): T {
  const known = all.find((known) => known === name)
  if (known === undefined) throw wrong(`there is no ${what} '${name}'`)
  return known
}

/** What all of these commands take. */
export const commonOptions = {
  json: { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** They throw BenchError `bench-arguments-wrong`. */
export const { parsed, wholeNumber } = optionReader(wrong)

function parse(args: readonly string[]) {
  return parsed({
    args: [...args],
    allowPositionals: true,
    options: {
      ...commonOptions,
      members: { type: 'string' },
      vs: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      provider: { type: 'string' },
      in: { type: 'string' },
    },
  })
}

function operation(name: string): Operation {
  return choice(operations, name, 'operation')
}

function peer(name: string): 'ts-mls' {
  if (name === 'ts-mls') return name
  throw wrong(`there is no comparison with '${name}', only with ts-mls`)
}

export function wrong(message: string): BenchError {
  return new BenchError('bench-arguments-wrong', message)
}
