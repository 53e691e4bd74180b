import { fromUtf8, toHex } from '@conclave/core/codec'
import { memberOf } from '@conclave/core/meeting'
import type { PublicGroup } from '@conclave/core/mls/public'
import { CredentialType, type LeafIndex, type LeafNode } from '@conclave/core/wire'
import type { ObservedMember } from '../observer.ts'

/** Whoever holds these leaves of the group; blank ones are left out. */
export function describeMembers(
  { tree }: PublicGroup,
  leaves: readonly LeafIndex[],
): readonly ObservedMember[] {
  return leaves.flatMap((leaf) => {
    const leafNode = tree.leafNode(leaf)
    return leafNode === undefined ? [] : [describeMember(leaf, leafNode)]
  })
}

export function describeMember(leaf: number, leafNode: LeafNode): ObservedMember {
  return { leaf, identity: identityOf(leafNode), deviceKey: memberOf(leafNode).deviceKey }
}

function identityOf({ credential }: LeafNode): string {
  if (credential.credentialType !== CredentialType.basic) return ''
  return fromUtf8(credential.identity) ?? toHex(credential.identity)
}
