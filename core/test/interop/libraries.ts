import { toHex } from '../../src/codec/bytes.ts'
import type { RandomBytes } from '../../src/runtime.ts'
import { Conclave } from './conclave.ts'
import { pskId } from './member.ts'
import { TsMls } from './tsMls.ts'
import { tsMlsSuite } from './tsMlsCrypto.ts'

/** For one cipher suite, with a pre-shared key. */
export async function bothLibraries(
  suiteId: number,
  random: RandomBytes,
): Promise<readonly [Conclave, TsMls]> {
  const shared = new Map([[toHex(pskId), random(32)]])
  const conclave = new Conclave(suiteId, random, shared)
  return [conclave, new TsMls(await tsMlsSuite(conclave.suite), shared)]
}
