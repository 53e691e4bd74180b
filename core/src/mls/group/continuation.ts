import { equalBytes, toHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { Credential } from '../../wire/credential.ts'
import { Extensions } from '../../wire/extension.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { PreSharedKeyId } from '../../wire/proposal.ts'
import type { LeafNode } from '../../wire/ratchetTree.ts'
import { ResumptionPskUsage } from '../../wire/registry.ts'
import { type ContinuedGroupId, continuesGroup } from '../bootstrap/welcome.ts'
import { MlsError } from '../mlsError.ts'
import type { GroupPolicy } from '../public/policy.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import type { Epoch } from './epoch.ts'
import { type PreSharedKeys, preSharedKeysOf } from './preSharedKeys.ts'

/** The keys of `old` beside those that are known anyway, for a Welcome into what continues it. */
export function withPsksOf(old: Epoch | undefined, known: PreSharedKeys): PreSharedKeys {
  if (old === undefined) return (id) => (continuesGroup(id) ? undefined : known(id))
  const continued = preSharedKeysOf(old)
  return (id) => (continuesGroup(id) ? continued(id) : (known(id) ?? continued(id)))
}

/**
 * RFC 9420 §12.4.3.1, last point: a group whose Welcome says that it continues another one does.
 * @throws MlsError `continuation-mismatch`, `continuation-members-differ`
 */
export function checkContinuation(
  policy: GroupPolicy,
  old: Epoch | undefined,
  psks: readonly PreSharedKeyId[],
  context: GroupContext,
  tree: PublicTree,
): void {
  const continued = psks.find(continuesGroup)
  if (continued === undefined || old === undefined) return
  if (context.epoch !== 1n) {
    throw new MlsError('continuation-mismatch', 'a group is continued in epoch 1 of the next')
  }
  if (continued.usage === ResumptionPskUsage.reInit) {
    checkReInit(old, continued, context)
  } else {
    const { version, cipherSuite } = old.public.groupContext
    if (context.version !== version || context.cipherSuite !== cipherSuite) {
      throw new MlsError('continuation-mismatch', 'a branch has the parameters of its group')
    }
  }
  checkMembersContinue(policy, old.public.tree, tree, continued.usage)
}

function checkReInit(old: Epoch, continued: ContinuedGroupId, context: GroupContext): void {
  const { reInit, groupContext } = old.public
  const agreed =
    reInit !== undefined &&
    continued.pskEpoch === groupContext.epoch &&
    equalBytes(context.groupId, reInit.groupId) &&
    context.version === reInit.version &&
    context.cipherSuite === reInit.cipherSuite &&
    equalBytes(encode(Extensions, context.extensions), encode(Extensions, reInit.extensions))
  if (!agreed) throw new MlsError('continuation-mismatch', 'not the group that was agreed upon')
}

/**
 * Everyone of a reinitialised group is in the new one; a branch has nobody who was not in the old.
 * @throws MlsError `continuation-members-differ`
 */
export function checkMembersContinue(
  { clientOf = credentialOf, partyOf = clientOf }: GroupPolicy,
  old: PublicTree,
  next: PublicTree,
  usage: number,
): void {
  const parties = (tree: PublicTree) =>
    new Set(tree.members().map(({ leafNode }) => partyOf(leafNode)))
  const [before, after] = [parties(old), parties(next)]
  const continues =
    usage === ResumptionPskUsage.reInit
      ? [...before].every((party) => after.has(party))
      : [...after].every((party) => before.has(party))
  if (!continues) {
    throw new MlsError('continuation-members-differ', 'not the members of the group before')
  }
}

/** A signature key serves one group only, so that by default a credential tells who it is. */
function credentialOf({ credential }: LeafNode): string {
  return toHex(encode(Credential, credential))
}
