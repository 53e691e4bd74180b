import { type Bytes, equalBytes, toHex } from '../../codec/bytes.ts'
import { makeProposalRef } from '../../crypto/public/refHash.ts'
import type { AuthenticatedContent, PrivateMessage } from '../../wire/framing.ts'
import { ContentType, WireFormat } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { checkGroupAndEpoch } from '../public/contentSignature.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import type { PublicGroup } from '../public/publicGroup.ts'
import type { Epoch } from './epoch.ts'
import { checkAuthenticatedData, checkHandshakeFormat } from './framing.ts'
import {
  type ApplicationMessage,
  decodeMessage,
  headOf,
  openApplication,
  openCurrent,
} from './incoming.ts'
import { receiveCommit } from './receiveCommit.ts'

/** Where a message leads; nothing has changed yet but the keys of PrivateMessages that were used. */
export type Step =
  | ({ readonly kind: 'application' } & ApplicationMessage)
  | { readonly kind: 'proposal'; readonly ref: Bytes; readonly public: PublicGroup }
  | { readonly kind: 'commit'; readonly next: Epoch; readonly effect: CommitEffect }
  | { readonly kind: 'removed'; readonly effect: CommitEffect }

/**
 * RFC 9420 §12.1, §12.4.2 and §15 for a message to this epoch of the group, or application data of
 * a past one.
 * @throws CodecError, MlsError, or what the policy throws
 */
export async function receiveMessage(epoch: Epoch, encoded: Bytes): Promise<Step> {
  const message = decodeMessage(encoded)
  const head = headOf(message)
  const { groupContext, tree } = epoch.public
  if (message.wireFormat === WireFormat.privateMessage) {
    const { privateMessage } = message
    if (privateMessage.contentType === ContentType.application) {
      const late = lateMessage(epoch, privateMessage)
      if (late !== undefined) return late
      checkGroupAndEpoch(head, groupContext)
      const opened = openApplication(epoch, epoch.messages, groupContext, tree, privateMessage)
      return { kind: 'application', ...(await opened) }
    }
    checkHandshakeFormat(epoch.environment.policy, message.wireFormat)
  }
  checkGroupAndEpoch(head, groupContext)
  const { authenticated, accept, refuse } = await openCurrent(epoch, message)
  try {
    const step = await receiveHandshake(epoch, authenticated)
    accept()
    return step
  } catch (error) {
    refuse()
    throw error
  }
}

/** Application data that is late, where its epoch's keys are still kept. */
function lateMessage(epoch: Epoch, message: PrivateMessage): Promise<Step> | undefined {
  const { groupId } = epoch.public.groupContext
  const now = epoch.environment.clock.now()
  const past = epoch.history.find(message.epoch, now)
  if (past === undefined || !equalBytes(message.groupId, groupId)) return undefined
  return openApplication(epoch, past.messages, past.groupContext, past.tree, message).then(
    (opened) => ({ kind: 'application', ...opened }),
  )
}

async function receiveHandshake(epoch: Epoch, authenticated: AuthenticatedContent): Promise<Step> {
  const { public: group, leafIndex, crypto } = epoch
  await group.verifyFraming(authenticated)
  checkAuthenticatedData(group.groupContext, authenticated.content)
  if (authenticated.content.contentType === ContentType.proposal) {
    if (group.proposals.has(toHex(makeProposalRef(crypto, authenticated)))) {
      throw new MlsError('message-known', 'the proposal has come before')
    }
    const { group: changed, ref } = await group.withVerifiedProposal(authenticated)
    return { kind: 'proposal', ref, public: changed }
  }
  const effect = await group.evaluateCommit(authenticated)
  if (effect.removed.includes(leafIndex)) return { kind: 'removed', effect }
  if (effect.proposals.committer === leafIndex) {
    throw new MlsError('commit-path-undecryptable', 'a commit of ours that we did not keep')
  }
  return { kind: 'commit', next: await receiveCommit(epoch, effect, authenticated), effect }
}
