import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { ExternalSenders, type Proposal, type Sender } from '../../src/wire/index.ts'
import {
  ContentType,
  ExtensionType,
  ProposalType,
  PskType,
  SenderType,
} from '../../src/wire/registry.ts'
import {
  contentOf,
  epochOf,
  forgeCommit,
  forgeNewcomer,
  forgeUpdate,
  frame,
  frameProposal,
} from './malformed.ts'
import { add, Party, type PartyOptions, remove } from './party.ts'
import { expectRejected, type RefusalCode } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']
const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }

function mallorys(party: Party): Promise<Epoch> {
  return epochOf(party.group('mallory'))
}

describe('a sender outside the group', () => {
  const keyserver: Sender = { senderType: SenderType.external, senderIndex: 0 }
  const newcomer: Sender = { senderType: SenderType.newMemberProposal }

  it('may send nothing but proposals (valn1501)', async () => {
    const party = await Party.of(names)
    for (const sender of [keyserver, newcomer]) {
      const { message } = await forgeCommit(await mallorys(party), {
        content: (content) => ({ ...content, sender }),
        signer: party.keyserver,
      })
      await expectRejected(party, '', message, 'message-sender-not-allowed')
    }
  })

  it.each<[string, (party: Party, epoch: Epoch) => Promise<Proposal>, RefusalCode]>([
    ['an Update', (_, epoch) => forgeUpdate(epoch), 'proposal-not-external'],
    [
      'an ExternalInit',
      async () => ({ proposalType: ProposalType.externalInit, kemOutput: emptyBytes }),
      'proposal-not-external',
    ],
    [
      'a SelfRemove',
      async () => ({ proposalType: ProposalType.selfRemove }),
      'proposal-not-external',
    ],
  ])('registered as external may not propose %s (valn1502)', async (_, make, code) => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const message = await frameProposal(epoch, await make(party, epoch), {
      sender: keyserver,
      signer: party.keyserver,
    })
    await expectRejected(party, '', message, code)
  })

  it('registered as external may propose the rest where the policy lets it (valn1502)', async () => {
    const meeting = await Party.of(names)
    const { externalSender } = meeting
    const party = await Party.of(names, {
      ...permissive,
      extensions: [
        {
          extensionType: ExtensionType.externalSenders,
          extensionData: encode(ExternalSenders, [externalSender]),
        },
      ],
    })
    const as = { sender: keyserver, signer: meeting.keyserver }
    const psk = { pskType: PskType.external, pskId: utf8('?'), pskNonce: new Uint8Array(32) }
    const next = { groupId: utf8('next'), version: 1, cipherSuite: 1, extensions: [] }
    const all: readonly Proposal[] = [
      add(await forgeNewcomer(party, {})),
      remove(party.leaf('bob')),
      { proposalType: ProposalType.psk, psk },
      { proposalType: ProposalType.reInit, ...next },
      { proposalType: ProposalType.groupContextExtensions, extensions: party.extensions },
    ]
    for (const proposal of all) {
      await party.cache(await frameProposal(await mallorys(party), proposal, as))
    }
    const inMeeting = await frameProposal(
      await mallorys(meeting),
      add(await forgeNewcomer(meeting, {})),
      as,
    )
    await expectRejected(meeting, '', inMeeting, 'proposal-not-authorised')
  })

  it.each([1, 0x7fffffff, 0xffffffff])(
    'with an index of nobody, %i, is refused',
    async (senderIndex) => {
      const party = await Party.of(names)
      const message = await frameProposal(await mallorys(party), remove(party.leaf('bob')), {
        sender: { senderType: SenderType.external, senderIndex },
        signer: party.keyserver,
      })
      await expectRejected(party, '', message, 'message-sender-unknown')
    },
  )

  it("that signs with another key than the group's external sender is refused (valn1301)", async () => {
    const party = await Party.of(names)
    const message = await frameProposal(await mallorys(party), remove(party.leaf('bob')), {
      sender: keyserver,
    })
    await expectRejected(party, '', message, 'message-signature-invalid')
  })

  it('proposing itself may propose nothing but an Add (valn1503, valn1504)', async () => {
    const party = await Party.of(names, permissive)
    const epoch = await mallorys(party)
    const removal = await frameProposal(epoch, remove(party.leaf('bob')), { sender: newcomer })
    await expectRejected(party, '', removal, 'message-sender-not-allowed')
    const content = {
      ...contentOf(await mallorys(party), newcomer),
      contentType: ContentType.application,
      applicationData: emptyBytes,
    }
    const data = await frame(await mallorys(party), content)
    await expectRejected(party, '', data, 'message-wire-format-unexpected')
  })

  it("proposing itself signs with its KeyPackage's key (valn1301)", async () => {
    const party = await Party.of(names, permissive)
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const propose = async (signer = erin.own.signer) =>
      frameProposal(await mallorys(party), add(keyPackage), { sender: newcomer, signer })
    const forged = await propose(party.at('mallory').person.own.signer)
    await expectRejected(party, '', forged, 'message-signature-invalid')
    await party.cache(await propose())
    expect(party.group('alice').public.proposals.size).toBe(1)
  })

  it('proposing itself is not what an open meeting is open to', async () => {
    const party = await Party.of(names)
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const message = await frameProposal(await mallorys(party), add(keyPackage), {
      sender: newcomer,
      signer: erin.own.signer,
    })
    await expectRejected(party, '', message, 'proposal-not-authorised')
  })
})
