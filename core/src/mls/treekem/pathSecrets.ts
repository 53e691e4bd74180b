import { deriveSecret } from '../../crypto/secret/labels.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'

export interface DerivedPath {
  readonly secrets: readonly Secret[]
  readonly keys: readonly HpkeKeyPair[]
  /** §8: one step beyond the last path secret. */
  readonly commitSecret: Secret
}

/**
 * RFC 9420 §7.4: `first` and the `count - 1` path secrets above it, the node key pair of each, and
 * the commit secret. The caller owns `first` and everything that is returned.
 */
export async function derivePath(
  crypto: SecretSuite,
  first: Secret,
  count: number,
): Promise<DerivedPath> {
  const secrets: Secret[] = []
  let next = first
  for (let i = 0; i < count; i++) {
    secrets.push(next)
    next = deriveSecret(crypto, next, 'path')
  }
  const keys = await Promise.all(
    secrets.map(async (pathSecret) => {
      const nodeSecret = deriveSecret(crypto, pathSecret, 'node')
      try {
        return await crypto.deriveKeyPair(nodeSecret)
      } finally {
        nodeSecret.wipe()
      }
    }),
  )
  return { secrets, keys, commitSecret: next }
}
