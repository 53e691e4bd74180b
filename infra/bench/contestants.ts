import { nobleCrypto, webCrypto } from '../../core/src/crypto/secret/index.ts'
import { nodeCrypto } from '../../core/src/crypto/secret/node/index.ts'
import { conclaveOver, type Provider } from './conclave.ts'
import { floorOver, pooledFloorOver } from './floor.ts'
import type { Contestant } from './operations.ts'
import { systemRandom } from './people.ts'
import * as primitives from './primitives.ts'

/** Core's providers as Node runs them, by the name that the command line has for them. */
export const providers: Readonly<Record<ProviderName, Provider>> = {
  node: (random) => nodeCrypto(random === undefined ? {} : { random }),
  web: (random = systemRandom) => webCrypto(crypto.subtle, random),
  noble: (random = systemRandom) => nobleCrypto(random),
}

export const providerNames = ['node', 'web', 'noble'] as const
export type ProviderName = (typeof providerNames)[number]

/** In Node everybody is compared with node:crypto, the fastest that there is. */
export const floor = floorOver(primitives)
export const pooled = { ...primitives, verifyAll: primitives.verifyAllPooled }
export const pooledFloor = pooledFloorOver(pooled)

export async function contestantsInNode(
  provider: ProviderName,
  versus: readonly 'ts-mls'[],
): Promise<readonly Contestant[]> {
  const peers = versus.includes('ts-mls') ? [(await import('./tsMls.ts')).tsMls] : []
  return [conclaveOver(providers[provider]), ...peers, floor, pooledFloor]
}
