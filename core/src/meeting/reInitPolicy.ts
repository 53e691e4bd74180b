import { equalBytes } from '../codec/bytes.ts'
import { encode } from '../codec/tls.ts'
import { cipherSuites } from '../crypto/public/cipherSuite.ts'
import type { ReInitProposal, SourcedProposal } from '../mls/public/proposalList.ts'
import type { PublicTree } from '../mls/treesync/publicTree.ts'
import { Extensions } from '../wire/extension.ts'
import type { GroupContext } from '../wire/groupContext.ts'
import {
  ProposalType,
  ProtocolVersion,
  PskType,
  ResumptionPskUsage,
  SenderType,
} from '../wire/registry.ts'
import { MeetingError } from './meetingExtension.ts'

/** Bytes of a group id, which is random for every incarnation of a meeting. */
export const groupIdBytes = 16

/**
 * A meeting goes on as it is but for its suite, which all members can do. Device keys and the
 * keyserver's key stay, so that the curve of signatures cannot change.
 * @throws MeetingError `reinit-not-allowed`
 */
export function checkReInit(next: ReInitProposal, tree: PublicTree, context: GroupContext): void {
  const [before, after] = [context, next].map(({ cipherSuite }) => cipherSuites.get(cipherSuite))
  if (after === undefined || after.signature !== before?.signature) {
    throw refused('the suite is none, or signs on another curve')
  }
  if (next.version !== ProtocolVersion.mls10) throw refused('another version of MLS')
  if (next.groupId.length !== groupIdBytes || equalBytes(next.groupId, context.groupId)) {
    throw refused('a group id has 16 bytes and is a new one')
  }
  if (!equalBytes(encode(Extensions, next.extensions), encode(Extensions, context.extensions))) {
    throw refused("the meeting's terms and parameters stay the same")
  }
  if (!suitesOf(tree).has(next.cipherSuite)) throw refused('a member cannot do the suite')
}

function refused(why: string): MeetingError {
  return new MeetingError('reinit-not-allowed', why)
}

/** The key of the group before, in the very commit that founds the one that continues it. */
export function continuesMeeting({ proposal, sender }: SourcedProposal, epoch: bigint): boolean {
  return (
    proposal.proposalType === ProposalType.psk &&
    proposal.psk.pskType === PskType.resumption &&
    proposal.psk.usage === ResumptionPskUsage.reInit &&
    sender.senderType === SenderType.member &&
    epoch === 0n
  )
}

/** Cipher suites that every member can do. */
function suitesOf(tree: PublicTree): ReadonlySet<number> {
  let common: ReadonlySet<number> | undefined
  for (const { leafNode } of tree.members()) {
    const own = new Set(leafNode.capabilities.cipherSuites)
    common = common === undefined ? own : new Set([...common].filter((suite) => own.has(suite)))
  }
  return common ?? new Set()
}
