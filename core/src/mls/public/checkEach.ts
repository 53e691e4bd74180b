import type { PublicSuite } from '../../crypto/public/publicSuite.ts'

/**
 * Checks many that come together: the leaves of a tree, the Adds of a commit. Their signatures are
 * verified side by side, as `verifyAll` does it, wherever in a check they are asked for. All checks
 * come to an end, and what the first in order throws is thrown.
 */
export async function checkEach<T>(
  crypto: PublicSuite,
  items: readonly T[],
  check: (crypto: PublicSuite, item: T) => Promise<void>,
): Promise<void> {
  const suite = items.length > 1 ? besides(crypto) : crypto
  const checked = await Promise.allSettled(items.map(async (item) => check(suite, item)))
  const failed = checked.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** A signature that is verified alone may hold up the others on the thread that asks. */
function besides(crypto: PublicSuite): PublicSuite {
  return {
    ...crypto,
    verify: async (publicKey, message, signature, occurs) => {
      const [valid] = await crypto.verifyAll([{ publicKey, message, signature, occurs }])
      return valid === true
    },
  }
}
