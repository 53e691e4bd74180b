import { assemblePublicCrypto } from '../assemble.ts'
import type { PublicCrypto } from '../publicSuite.ts'
import { type NodePublicOptions, nodePublicPlatform } from './platform.ts'

export type { NodePublicOptions }

/**
 * A suite's public half over node:crypto. One signature is verified on the calling thread, where it
 * costs less than the way to another; many are spread over libuv's thread pool.
 */
export function nodePublicCrypto(options: NodePublicOptions = {}): PublicCrypto {
  return assemblePublicCrypto(nodePublicPlatform(options))
}
