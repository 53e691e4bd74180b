import { webCrypto } from '../../../core/src/crypto/secret/index.ts'
import { BenchError } from '../benchError.ts'
import { runBenchmark, type Workload } from '../benchmark.ts'
import { conclaveOver } from '../conclave.ts'
import { floorOver } from '../floor.ts'
import { systemRandom } from '../people.ts'
import * as primitives from '../webPrimitives.ts'
import { type Outcome, toPlain } from './outcome.ts'

/** What the page does that the benchmark opens: everything, from making the groups on. */
export async function runInPage(
  workload: Omit<Workload, 'only'> & { readonly only: readonly string[] },
  progress: (line: string) => void,
): Promise<Outcome> {
  const web = conclaveOver((random = systemRandom) => webCrypto(crypto.subtle, random))
  const only = new Set(workload.only) as Workload['only']
  try {
    const contestants = [web, floorOver(primitives)]
    return { measured: toPlain(await runBenchmark({ ...workload, only }, contestants, progress)) }
  } catch (error) {
    if (!(error instanceof BenchError)) throw error
    return { failure: { code: error.code, message: error.message } }
  }
}
