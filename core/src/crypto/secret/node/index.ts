import { randomFillSync } from 'node:crypto'
import type { RandomBytes } from '../../../runtime.ts'
import { isNist } from '../../public/cipherSuite.ts'
import { type NodePublicOptions, nodePublicPlatform } from '../../public/node/platform.ts'
import { assembleCrypto } from '../assemble.ts'
import { nobleSigner } from '../noble.ts'
import type { SecretCrypto } from '../secretSuite.ts'
import { nodeAead } from './aead.ts'
import { nodeGroup } from './group.ts'
import { nodeKdf } from './kdf.ts'
import { nodeSigner } from './signer.ts'

export interface NodeCryptoOptions extends NodePublicOptions {
  /** The system's randomness where left out. */
  readonly random?: RandomBytes
}

/**
 * Every suite over node:crypto. All but many verifications at once runs on the calling thread, where
 * one operation costs less than the way to another.
 *
 * With `deterministic` operations settle in microtasks, and a run with the same `random` gives the
 * same bytes: ECDSA then signs with RFC 6979's nonces, since OpenSSL draws its own.
 */
export function nodeCrypto(options: NodeCryptoOptions = {}): SecretCrypto {
  const { random, deterministic = false } = options
  return assembleCrypto({
    ...nodePublicPlatform({ deterministic }),
    random: random ?? systemRandom,
    kdf: nodeKdf,
    aead: nodeAead,
    group: (suite) => nodeGroup(suite, random === undefined),
    signer: (curve, privateKey) => {
      const drawsNonces = isNist(curve)
      return (deterministic && drawsNonces ? nobleSigner : nodeSigner)(curve, privateKey)
    },
  })
}

const systemRandom: RandomBytes = (length) => randomFillSync(new Uint8Array(length))
