import { availableParallelism } from 'node:os'
import {
  choice,
  commonOptions,
  type Format,
  formatOf,
  parsed,
  wholeNumber,
  wrong,
} from '../bench/arguments.ts'
import { providerNames } from '../bench/contestants.ts'
import type { Workload } from './meetingLoad.ts'

const cores = availableParallelism()

export const usage = `npm run load -- meeting [options]

Runs whole meetings of SDK clients, in a few processes, against a keyserver in another: a storm of
joins, a join and a leave each second, single leaves, and nearly everybody leaving at once. Prints
how long members wait for keys, what that costs, and the floor: the cryptography that all clients on
this machine must do.

  --participants N,… sizes of the meeting, one after the other (default 150)
  --redis            a keyserver on a redis-server with appendfsync always; otherwise in memory
  --files            each client keeps its state in an encrypted SQLite file of its own, all on this
                     machine's one disk; otherwise in memory
  --processes P      that clients are in (default ${cores}: one for each core; more would only
                     take turns, fewer would leave a core to nobody)
  --provider P       the clients' cryptography: ${providerNames.join(', ')} (default node)
  --storm S          seconds over which the joins are spread (default 10)
  --churn S          seconds in each of which one joins and one leaves (default 20)
  --leaves K         single leaves (default 10)
  --json             one JSON object a line, the first for machine and versions
  --markdown         tables for docs/benchmarks.md
  --svg FILE         also draws rekey latency and bytes against the number of participants
  --help             this text`

export interface LoadArguments {
  readonly participants: readonly number[]
  readonly workload: Workload
  readonly format: Format
  readonly svg: string | undefined
}

/** Nothing takes as long, in milliseconds, unless it is stuck. */
const patienceMs = 420_000

/**
 * What the command line asks for; undefined where it asks for help.
 * @throws BenchError `bench-arguments-wrong`
 */
export function readArguments(args: readonly string[]): LoadArguments | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  if (positionals.length !== 1 || positionals[0] !== 'meeting') {
    throw wrong(`there is meeting, not ${positionals.join(' ') || 'none'}`)
  }
  return {
    participants: (values.participants ?? '150')
      .split(',')
      .map((participants) => wholeNumber('--participants', participants, 4, 1000)),
    workload: {
      store: values.redis ? 'redis' : 'memory',
      files: values.files,
      provider: choice(providerNames, values.provider ?? 'node', 'provider'),
      processes: wholeNumber('--processes', values.processes ?? String(cores), 1, 64),
      stormSeconds: wholeNumber('--storm', values.storm ?? '10', 1, 600),
      churnSeconds: wholeNumber('--churn', values.churn ?? '20', 1, 3600),
      leaves: wholeNumber('--leaves', values.leaves ?? '10', 1, 500),
      patienceMs,
    },
    format: formatOf(values),
    svg: values.svg,
  }
}

function parse(args: readonly string[]) {
  return parsed({
    args: [...args],
    allowPositionals: true,
    options: {
      ...commonOptions,
      participants: { type: 'string' },
      redis: { type: 'boolean', default: false },
      files: { type: 'boolean', default: false },
      processes: { type: 'string' },
      provider: { type: 'string' },
      storm: { type: 'string' },
      churn: { type: 'string' },
      leaves: { type: 'string' },
      svg: { type: 'string' },
    },
  })
}
