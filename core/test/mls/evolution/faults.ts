import type { SecretCrypto, SecretSuite } from '../../../src/crypto/secret/index.ts'
import { type Fault, labelOf } from './people.ts'

/*
 * Software that works otherwise than it should, so that tests can see whether somebody notices.
 */

type Operation = 'random' | 'expand'

/** The software of `name`, or of everyone, with one operation that works otherwise. */
export function altered<K extends Operation>(
  name: string | undefined,
  change: { readonly [k in K]: (suite: SecretSuite) => SecretSuite[k] },
): NonNullable<Fault['crypto']> {
  return (of, crypto): SecretCrypto => {
    if (name !== undefined && of !== name) return crypto
    return {
      publicSuite: (id) => crypto.publicSuite(id),
      secretSuite: (id) => {
        const suite = crypto.secretSuite(id)
        if (suite === undefined) return undefined
        const changed = Object.entries(change) as [K, (suite: SecretSuite) => SecretSuite[K]][]
        const operations = changed.map(([key, make]) => [key, make(suite)])
        return { ...suite, ...Object.fromEntries(operations) }
      },
    }
  }
}

/** Expand, with what comes of one label changed byte by byte. */
export function labelled(
  label: string,
  change: (byte: number) => number,
  inner: (suite: SecretSuite) => SecretSuite['expand'] = ({ expand }) => expand,
) {
  return (suite: SecretSuite): SecretSuite['expand'] => {
    const expand = inner(suite)
    return (key, info, length) => {
      const output = expand(key, info, length)
      return labelOf(info) === label ? output.map(change) : output
    }
  }
}

/**
 * The software of `name`, the founder, when it does nothing but commit and speak: each of its paths
 * has the path secrets of the one before.
 */
export function reusedPaths(name: string): NonNullable<Fault['crypto']> {
  let drawn = 0
  return altered(name, {
    random: (suite) => (length) => {
      // What its founding draws comes first; then, of each two, the path's and the leaf's.
      const reused = length === 32 && drawn++ % 2 === 0 && drawn > 2
      return reused ? new Uint8Array(32).fill(1) : suite.random(length)
    },
  })
}
