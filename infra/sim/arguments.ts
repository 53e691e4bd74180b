import { optionReader } from '../optionReader.ts'
import { SimError } from './simError.ts'

export const usage = `npm run sim -- [options]

Simulates meetings: the SDK's sessions and the keyserver's ordering on a virtual clock and network,
with crashes, partitions, failover and loss drawn from a seed. Invariants are checked after every
step. A run that breaks one is shrunk, and printed with what replays it.

  --seed S       the first seed (default 1)
  --runs N       this and the following seeds (default 1)
  --members N    people of a meeting (default 5)
  --steps K      steps of a run (default 20)
  --only i@ms,…  of those steps only these, with these pauses, as a shrunk run has them
  --trace        everything that happens
  --json         one JSON object a line: each run that fails, then what all have been through
  --help         this text`

const { parsed, wholeNumber } = optionReader(wrong)

export interface Arguments {
  readonly seed: number
  readonly runs: number
  readonly members: number
  readonly steps: number
  readonly only: ReadonlyMap<number, number> | undefined
  readonly trace: boolean
  readonly json: boolean
}

/**
 * What the command line asks for; undefined where it asks for help.
 * @throws SimError `sim-arguments-wrong`
 */
export function readArguments(args: readonly string[]): Arguments | undefined {
  const values = parse(args)
  if (values.help) return undefined
  return {
    seed: wholeNumber('--seed', values.seed, 0, 2 ** 31 - 1),
    runs: wholeNumber('--runs', values.runs, 1, 1_000_000),
    members: wholeNumber('--members', values.members, 1, 64),
    steps: wholeNumber('--steps', values.steps, 1, 10_000),
    only: values.only === undefined ? undefined : stepsOf(values.only),
    trace: values.trace,
    json: values.json,
  }
}

/** What is left of a plan: the pause after each step, by the step's place. */
function stepsOf(text: string): ReadonlyMap<number, number> {
  return new Map(
    text.split(',').map((step) => {
      const [place = '', pause = ''] = step.split('@')
      return [
        wholeNumber('--only', place, 0, 9_999),
        wholeNumber('--only', pause, 0, 2 ** 31 - 1),
      ] as const
    }),
  )
}

function parse(args: readonly string[]) {
  return parsed({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '1' },
      members: { type: 'string', default: '5' },
      steps: { type: 'string', default: '20' },
      only: { type: 'string' },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }).values
}

function wrong(message: string): SimError {
  return new SimError('sim-arguments-wrong', message)
}
