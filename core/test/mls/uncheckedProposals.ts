import { toHex } from '../../src/codec/bytes.ts'
import type { Secret, SecretSuite } from '../../src/crypto/secret/index.ts'
import type { ProposalList, SourcedProposal } from '../../src/mls/public/proposalList.ts'
import type { PublicGroup } from '../../src/mls/public/publicGroup.ts'
import { derivePskSecret } from '../../src/mls/treekem/preSharedKeys.ts'
import type { LeafIndex, PreSharedKeyId, ProposalOrRef, Sender } from '../../src/wire/index.ts'
import { ProposalOrRefType, ProposalType, SenderType } from '../../src/wire/registry.ts'

/** The proposals of a commit by kind, whether or not they may stand beside each other. */
export function uncheckedProposals(
  group: PublicGroup,
  entries: readonly ProposalOrRef[],
  committer: LeafIndex,
  committedBy: Sender,
): ProposalList {
  const all = entries.flatMap((entry): readonly SourcedProposal[] => {
    if (entry.type === ProposalOrRefType.proposal) {
      return [{ proposal: entry.proposal, sender: committedBy }]
    }
    const found = group.proposals.get(toHex(entry.reference))
    return found === undefined ? [] : [found]
  })
  const leafOf = (sender: Sender) =>
    sender.senderType === SenderType.member ? sender.leafIndex : committer
  const removed = new Set<LeafIndex>()
  const list = { updates: [], removes: [], adds: [], preSharedKeys: [] } as {
    updates: ProposalList['updates'][number][]
    removes: ProposalList['removes'][number][]
    adds: ProposalList['adds'][number][]
    preSharedKeys: PreSharedKeyId[]
  }
  let groupContextExtensions: ProposalList['groupContextExtensions']
  for (const { proposal, sender } of all) {
    switch (proposal.proposalType) {
      case ProposalType.add:
        list.adds.push({ keyPackage: proposal.keyPackage, sender })
        break
      case ProposalType.update:
        list.updates.push({ leafIndex: leafOf(sender), leafNode: proposal.leafNode })
        break
      case ProposalType.remove:
      case ProposalType.selfRemove: {
        const leafIndex =
          proposal.proposalType === ProposalType.remove ? proposal.removed : leafOf(sender)
        const present = group.tree.leafNode(leafIndex) !== undefined
        if (present && !removed.has(leafIndex)) {
          list.removes.push({ leafIndex, kind: 'remove', sender })
        }
        removed.add(leafIndex)
        break
      }
      case ProposalType.psk:
        list.preSharedKeys.push(proposal.psk)
        break
      case ProposalType.groupContextExtensions:
        groupContextExtensions = proposal.extensions
        break
      default:
        break
    }
  }
  return {
    committer,
    all,
    reInit: undefined,
    externalInit: undefined,
    groupContextExtensions,
    ...list,
  }
}

/** Of those pre-shared keys that `known` has, by the id of the key or its group. */
export function pskSecretOf(
  crypto: SecretSuite,
  list: ProposalList,
  known: ReadonlyMap<string, Secret> = new Map(),
): Secret {
  return derivePskSecret(
    crypto,
    list.preSharedKeys.flatMap((id) => {
      const key = known.get(toHex('pskId' in id ? id.pskId : id.pskGroupId))
      return key === undefined ? [] : [{ id, key }]
    }),
  )
}
