import { type Bytes, decode, utf8 } from '@conclave/core/codec'
import { meetingPolicy, roomPskId } from '@conclave/core/meeting'
import { createKeyPackage } from '@conclave/core/mls/bootstrap'
import { Group, type OwnProposal } from '@conclave/core/mls/group'
import { PublicGroup } from '@conclave/core/mls/public'
import {
  type GroupInfo,
  MlsMessage,
  type PreSharedKeyId,
  type Proposal,
  ProposalType,
  PskType,
  type PublicMessage,
} from '@conclave/core/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/index.ts'
import { joinGroup } from '../../src/rooms/roomEntry.ts'
import { crypto, leafOf, meetingId, suite } from '../session/support/people.ts'
import { errorOf, joining, Party } from './party.ts'

const code = (expected: string) => expect.objectContaining({ code: expected })
const nonce = () => systemRandom(32)

function psk(id: PreSharedKeyId): OwnProposal {
  return { proposalType: ProposalType.psk, psk: id }
}

let party: Party

/** alice, bob and carol are in a room; dave is in the meeting and was called, eve was not. */
beforeEach(async () => {
  party = await Party.of('alice', 'bob', 'carol', 'dave', 'eve')
  await party.open('alice', 'bob', 'carol', 'dave')
  await party.add('alice', 'bob')
  await party.add('bob', 'carol')
})

/** What becomes of alice's commit at bob's, if her program keeps no rules. */
async function forged(proposals: readonly Proposal[]): Promise<unknown> {
  party.at('alice').lawless = true
  const { message } = await party.forge('alice', proposals)
  return errorOf(await party.receive('bob', message))
}

/** A key as alice's commits have to carry it. */
function due(): OwnProposal {
  return psk(party.tie('alice').newestPsk())
}

async function add(name: string): Promise<OwnProposal> {
  const { keyPackage } = await party.knock(name)
  return { proposalType: ProposalType.add, keyPackage }
}

describe('a commit of a breakout room', () => {
  it('carries one key of the parent, no more and no less', async () => {
    expect(await forged([])).toEqual(code('room-psk-invalid'))
    expect(await forged([due(), due()])).toEqual(code('room-psk-invalid'))
    expect(await forged([due()])).toEqual(new Error('commit'))
  })

  it('carries no key of another group, and none that is no parent’s', async () => {
    const parentEpoch = party.at('alice').parent.epoch
    const foreign = roomPskId({ parentGroupId: systemRandom(16), parentEpoch }, nonce())
    expect(await forged([psk(foreign)])).toEqual(code('room-psk-invalid'))
    const pskId = utf8('our own')
    const other = { pskType: PskType.external, pskId, pskNonce: nonce() } as const
    expect(await forged([psk(other)])).toEqual(code('room-psk-invalid'))
  })

  it('names no older epoch of the parent than the one before', async () => {
    const old = due()
    await party.healParent('carol')
    await party.commit('bob')
    expect(await forged([old])).toEqual(code('room-psk-invalid'))
  })

  it('is not followed by whoever does not know the key', async () => {
    const { parentGroupId } = party.tie('alice').description
    const far = roomPskId({ parentGroupId, parentEpoch: 99n }, nonce())
    expect(await forged([psk(far)])).toEqual(code('commit-psk-missing'))
  })

  it('removes nobody who is in the parent', async () => {
    const removed = party.leafInRoom('carol')
    const remove: Proposal = { proposalType: ProposalType.remove, removed }
    expect(await forged([due(), remove])).toEqual(code('proposal-not-authorised'))
  })

  it('lets nobody in who was not called', async () => {
    expect(await forged([due(), await add('eve')])).toEqual(code('room-member-unknown'))
  })

  it('lets nobody in who is not in the parent, whatever they are called', async () => {
    const own = await leafOf('dave', party.tie('dave').meetingId)
    const { keyPackage } = await createKeyPackage(suite, own, party.lifetime())
    const outsider: Proposal = { proposalType: ProposalType.add, keyPackage }
    expect(await forged([due(), outsider])).toEqual(code('room-member-unknown'))
  })

  it('lets nobody in who is in the parent no more', async () => {
    const dave = await add('dave')
    await party.expel('dave', 'carol')
    expect(await forged([due(), dave])).toEqual(code('room-member-unknown'))
  })

  it('has to be there for what it carries: by itself none of it counts', async () => {
    party.at('alice').lawless = true
    const removed = party.leafInRoom('carol')
    const remove = { proposalType: ProposalType.remove, removed } as const
    for (const proposal of [due(), remove, await add('dave')]) {
      const message = await party.at('alice').inRoom.propose(proposal)
      const received = await party.at('bob').inRoom.receive(message)
      expect(errorOf(received)).toEqual(code('proposal-not-authorised'))
    }
  })
})

describe('whoever is removed from the meeting', () => {
  it('is removed from the room by the next commit of those who know it', async () => {
    await party.add('alice', 'dave')
    await party.expel('dave', 'carol')
    const { effect, message } = await party.commit('bob')
    expect(effect.removed).toEqual([party.leafInRoom('dave')])
    // They cannot tell whether that is as it should be, and could not follow it.
    expect(errorOf(await party.receive('dave', message))).toEqual(code('room-psk-invalid'))
    const codes = ['alice', 'bob', 'carol'].map((name) => party.at(name).inRoom.epochAuthenticator)
    expect(new Set(codes.map(String)).size).toBe(1)
  })

  it('does not follow it even where nobody removes their leaf', async () => {
    await party.expel('carol', 'alice')
    const { message } = await party.forge('bob', [psk(party.tie('bob').newestPsk())])
    expect(errorOf(await party.receive('alice', message))).toEqual(new Error('commit'))
    expect(errorOf(await party.receive('carol', message))).toEqual(code('commit-psk-missing'))
    // Nor with a key that is made up.
    party.at('carol').lawless = true
    expect(errorOf(await party.receive('carol', message))).toEqual(
      code('commit-confirmation-tag-invalid'),
    )
  })

  it.each(['carol', 'dave'])('does not come in by an own commit: %s', async (name) => {
    // They still know keys that others have not forgotten.
    const tie = party.tie(name)
    await party.expel(name, 'alice')
    const { groupInfo } = await described('bob')
    const { device, room } = party.at(name)
    const signer = await suite.generateSigner()
    const own = await leafOf(name, tie.meetingId, signer, device)
    party.at(name).lawless = true
    const pending = await Group.joinExternally(party.environment(name), {
      groupInfo,
      ratchetTree: party.at('bob').inRoom.ratchetTree,
      own,
      ...(room !== undefined && { replaces: room.leafIndex }),
      preSharedKeys: [tie.newestPsk()],
    })
    expect(errorOf(await party.receive('bob', pending.message))).toEqual(
      code('room-member-unknown'),
    )
    pending.discard()
  })
})

describe('a room that is entered', () => {
  it('has nobody who was never in the parent', async () => {
    const { groupInfo, ratchetTree } = await described('alice')
    // To frank, who has come just now, carol was never there; to dave she was, and somebody is about
    // to remove her.
    const daves = party.environment('dave')
    await party.expel('carol', 'alice')
    await party.admit('frank')
    const environment = party.environment('frank')
    await expect(PublicGroup.open(environment, groupInfo, ratchetTree)).rejects.toEqual(
      code('room-member-unknown'),
    )
    await PublicGroup.open(daves, groupInfo, ratchetTree)
  })

  it('gives a Welcome with a key of the parent', async () => {
    const bundle = await party.knock('dave')
    party.at('alice').lawless = true
    const { keyPackage } = bundle
    const pending = await party.forge('alice', [{ proposalType: ProposalType.add, keyPackage }])
    await expect(joinGroup(party.environment('dave'), joining(pending, bundle))).rejects.toEqual(
      code('room-psk-invalid'),
    )
  })

  it('cannot be entered as a meeting of its own', async () => {
    const { groupInfo, ratchetTree } = await described('alice')
    const policy = meetingPolicy({
      meetingId: party.tie('alice').meetingId,
      trust: { policy: 'branch' },
    })
    const environment = { crypto, clock: party.clock, policy }
    await expect(PublicGroup.open(environment, groupInfo, ratchetTree)).rejects.toEqual(
      code('admission-policy-unsupported'),
    )
  })
})

describe('a keyserver, which knows nothing of the parent', () => {
  let seen: PublicGroup

  beforeEach(async () => {
    const { groupInfo, ratchetTree } = await described('alice')
    const { externalSender } = party.keyserver
    const policy = meetingPolicy({ meetingId: party.tie('alice').meetingId, externalSender })
    const environment = { crypto, clock: party.clock, policy }
    seen = await PublicGroup.open(environment, groupInfo, ratchetTree)
  })

  it('follows a room', async () => {
    await party.expel('carol', 'alice')
    const { message, groupInfo } = await party.prepare('alice')
    const { removed } = await seen.withCommit(publicIn(message), infoIn(groupInfo))
    expect(removed).toHaveLength(1)
  })

  it('refuses a commit without a key', async () => {
    party.at('alice').lawless = true
    const { message, groupInfo } = await party.forge('alice')
    await expect(seen.withCommit(publicIn(message), infoIn(groupInfo))).rejects.toEqual(
      code('room-psk-invalid'),
    )
  })

  it('refuses a removal by itself, which others would have to commit', async () => {
    party.at('alice').lawless = true
    const removed = party.leafInRoom('carol')
    const message = await party
      .at('alice')
      .inRoom.propose({ proposalType: ProposalType.remove, removed })
    await expect(seen.withProposal(publicIn(message))).rejects.toEqual(
      code('proposal-not-authorised'),
    )
  })

  it('takes neither from a meeting that is no room', async () => {
    const policy = meetingPolicy({ meetingId })
    const { groupContext, tree } = party.at('alice').parent.public
    const sender = { senderType: 1, leafIndex: party.at('alice').parent.leafIndex } as const
    const removed = party.at('bob').parent.leafIndex
    for (const proposal of [due(), { proposalType: ProposalType.remove, removed } as const]) {
      expect(() => policy.checkProposal({ proposal, sender }, tree, groupContext)).toThrow(
        code('proposal-not-authorised'),
      )
    }
  })
})

async function described(name: string) {
  const { inRoom } = party.at(name)
  return {
    groupInfo: infoIn(await inRoom.groupInfo({ externalPub: true })),
    ratchetTree: inRoom.ratchetTree,
  }
}

function infoIn(message: Bytes): GroupInfo {
  const decoded = decode(MlsMessage, message)
  if (!('groupInfo' in decoded)) throw new Error('no GroupInfo')
  return decoded.groupInfo
}

function publicIn(message: Bytes): PublicMessage {
  const decoded = decode(MlsMessage, message)
  if (!('publicMessage' in decoded)) throw new Error('no PublicMessage')
  return decoded.publicMessage
}
