import { type Bytes, decode, encode } from '@conclave/core/codec'
import type { ReplyTo, RequestOf } from '@conclave/core/delivery'
import { createKeyPackage, type KeyPackageBundle, type OwnLeaf } from '@conclave/core/mls/bootstrap'
import { Group } from '@conclave/core/mls/group'
import {
  FramedContentTbs,
  type KeyPackage,
  type Lifetime,
  MlsMessage,
  type Proposal,
  RatchetTree,
} from '@conclave/core/wire'
import { keyPackageOf, publicMessageOf, suiteOf, type TestMember } from './testMember.ts'

type ReInit = Extract<Proposal, { readonly proposalType: 5 }>

/** Of the group that continues one of suite 1; the signature keys are of the same kind. */
export const nextSuite = 3

export function refused(code: string, detail?: string) {
  return { ok: false, code, ...(detail !== undefined && { detail }) }
}

export function prepareReInit(
  { group }: TestMember,
  changes: Partial<ReInit> = {},
): Promise<Bytes> {
  const { extensions } = group.groupContext
  const groupId = globalThis.crypto.getRandomValues(new Uint8Array(16))
  return group.propose({
    proposalType: 5,
    groupId,
    version: 1,
    cipherSuite: nextSuite,
    extensions,
    ...changes,
  })
}

/** One that no member would make, but for its membership tag, which is no keyserver's to check. */
export async function forgeReInit(member: TestMember, changes: Partial<ReInit>): Promise<Bytes> {
  const message = decode(MlsMessage, await prepareReInit(member))
  if (message.wireFormat !== 1) throw new Error('not a PublicMessage')
  const { publicMessage } = message
  const { content, auth } = publicMessage
  if (content.contentType !== 2 || content.proposal.proposalType !== 5) throw new Error('no ReInit')
  const forged = { ...content, proposal: { ...content.proposal, ...changes } }
  const context = member.group.groupContext
  const tbs = encode(FramedContentTbs, { version: 1, wireFormat: 1, content: forged, context })
  const signature = await member.sign('FramedContentTBS', tbs)
  return publicMessageOf({ ...publicMessage, content: forged, auth: { ...auth, signature } })
}

/** @returns its place in the log */
export async function proposeReInit(
  member: TestMember,
  changes: Partial<ReInit> = {},
): Promise<number> {
  const message = await prepareReInit(member, changes)
  const { seq } = await member.client.ask('propose', { groupId: member.groupId, message })
  return seq
}

/** A KeyPackage for the next group. */
export async function offerOf(
  member: TestMember,
  changes: { cipherSuite?: number; lifetime?: Lifetime; own?: OwnLeaf } = {},
): Promise<{ readonly bundle: KeyPackageBundle; readonly encoded: Bytes }> {
  const { cipherSuite = nextSuite, lifetime = member.lifetime() } = changes
  const own = changes.own ?? (await member.leafIn(cipherSuite))
  const bundle = await createKeyPackage(suiteOf(cipherSuite), own, lifetime)
  return { bundle, encoded: member.keyPackageOf(bundle) }
}

export function sendOffer(member: TestMember, keyPackage: Bytes): Promise<ReplyTo<'offer'>> {
  return member.client.request('offer', { groupId: member.groupId, keyPackage })
}

/** What each of them can enter the next group with. */
export type Offered = ReadonlyMap<TestMember, KeyPackageBundle>

/** Everyone offers to be taken along; somebody has proposed a ReInit. */
export async function allOffer(members: readonly TestMember[]): Promise<Offered> {
  const offered = new Map<TestMember, KeyPackageBundle>()
  for (const member of members) {
    const { bundle, encoded } = await offerOf(member)
    const reply = await sendOffer(member, encoded)
    if (!reply.ok) throw new Error(`${reply.code} ${reply.detail}`)
    offered.set(member, bundle)
  }
  return offered
}

/** The last proposes a ReInit, all offer, the first commits. */
export async function freeze(members: readonly TestMember[]): Promise<Offered> {
  const [committer, ...others] = members as [TestMember, ...TestMember[]]
  const seq = await proposeReInit(members.at(-1) ?? committer)
  await Promise.all(members.map((member) => member.receiveUpTo(seq)))
  const offered = await allOffer(members)
  const committed = await committer.commit()
  await Promise.all(others.map((member) => member.receiveUpTo(committed)))
  return offered
}

/** The group by which a member continues its own, as it would upload it. */
export async function prepareContinuation(
  member: TestMember,
  changes: { readonly keyPackages?: readonly KeyPackage[]; readonly own?: OwnLeaf } = {},
): Promise<{ readonly founded: Group; readonly upload: RequestOf<'continue'> }> {
  const { groupId, group, leafIndex } = member
  const { keyPackages } = await member.client.ask('offers', { groupId })
  const { tree, reInit } = group.public
  const own = tree.members().findIndex((each) => each.leafIndex === leafIndex)
  const others = keyPackages.filter((_, i) => i !== own).map(keyPackageOf)
  const pending = await group.reInit(member.environment, {
    own: changes.own ?? (await member.leafIn(reInit?.cipherSuite ?? 0)),
    lifetime: member.lifetime(),
    keyPackages: changes.keyPackages ?? others,
    commit: { groupInfo: { externalPub: true } },
  })
  const { groupInfo, welcome = null } = pending
  const founded = Group.enter(pending)
  const ratchetTree = encode(RatchetTree, founded.ratchetTree)
  return { founded, upload: { groupId, groupInfo, ratchetTree, welcome } }
}

/** Founds the next group, and is in it. */
export async function continueBy(member: TestMember): Promise<void> {
  const { founded, upload } = await prepareContinuation(member)
  await member.client.ask('continue', upload)
  member.goOn(founded)
  await member.take()
}

/** Enters the next group by its Welcome. */
export async function follow(member: TestMember, offered: Offered, next: Bytes): Promise<void> {
  const bundle = offered.get(member)
  if (bundle === undefined) throw new Error('nothing has been offered')
  const id = next.toString()
  const notice = await member.client.notice('welcome', ({ groupId }) => groupId.toString() === id)
  await member.join(bundle, notice, member.group)
  await member.take()
}
