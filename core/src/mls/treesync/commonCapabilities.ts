import type { LeafNodeContent } from '../../wire/ratchetTree.ts'

/**
 * What some members have in common, as far as it matters for what their group may do
 * (RFC 9420 §7.2). Each list is a set.
 */
export interface CommonCapabilities {
  /** What all of them list in their capabilities. */
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
  /** The types of credential that any of them has. */
  readonly credentialsInUse: readonly number[]
}

/** Those of one leaf. `like` is returned where it says the same, so that leaves can share it. */
export function capabilitiesOf(
  { capabilities, credential }: LeafNodeContent,
  like: CommonCapabilities | undefined,
): CommonCapabilities {
  const own: CommonCapabilities = {
    extensions: capabilities.extensions,
    proposals: capabilities.proposals,
    credentials: capabilities.credentials,
    credentialsInUse: [credential.credentialType],
  }
  return like !== undefined && isSame(own, like) ? like : own
}

/** Those of two groups of members, either of which may be empty. */
export function combined(
  a: CommonCapabilities | undefined,
  b: CommonCapabilities | undefined,
): CommonCapabilities | undefined {
  if (a === b || b === undefined) return a
  if (a === undefined) return b
  const both: CommonCapabilities = {
    extensions: intersection(a.extensions, b.extensions),
    proposals: intersection(a.proposals, b.proposals),
    credentials: intersection(a.credentials, b.credentials),
    credentialsInUse: union(a.credentialsInUse, b.credentialsInUse),
  }
  if (isSame(both, a)) return a
  return isSame(both, b) ? b : both
}

function intersection(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a === b) return a
  const inB = new Set(b)
  const inBoth = a.filter((type) => inB.has(type))
  return inBoth.length === a.length ? a : inBoth
}

function union(a: readonly number[], b: readonly number[]): readonly number[] {
  const inEither = new Set([...a, ...b])
  return inEither.size === a.length ? a : [...inEither]
}

function isSame(a: CommonCapabilities, b: CommonCapabilities): boolean {
  return (
    sameList(a.extensions, b.extensions) &&
    sameList(a.proposals, b.proposals) &&
    sameList(a.credentials, b.credentials) &&
    sameList(a.credentialsInUse, b.credentialsInUse)
  )
}

function sameList(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((type, i) => type === b[i]))
}
