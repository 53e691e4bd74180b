import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { type FramedContent, type LeafIndex, MlsMessage } from '../../src/wire/index.ts'
import { ContentType, ProposalType, SenderType, WireFormat } from '../../src/wire/registry.ts'
import { contentOf, copyOf, touched } from './malformed.ts'
import { framePrivate, type PrivateFraming } from './malformedPrivate.ts'
import { Party, type PartyOptions, remove } from './party.ts'
import { expectRejected, type RefusalCode, refusal, rejectionOf } from './refusals.ts'

/*
 * What a group makes of a forged PrivateMessage; privateMessage.test.ts has the same rules, and
 * more, at the layer below.
 */

const names = ['alice', 'bob', 'carol', 'mallory']
const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }

type Kind = 'application data' | 'a proposal'
const kinds: readonly Kind[] = ['application data', 'a proposal']

/** What mallory sends sealed, with a member's real keys. */
function forged(party: Party, kind: Kind, framing: PrivateFraming = {}, inNameOf = 'mallory') {
  const epoch = copyOf(party, party.at('mallory'))
  const sender = { senderType: SenderType.member, leafIndex: party.leaf(inNameOf) }
  const content: FramedContent = {
    ...contentOf(epoch, sender),
    ...(kind === 'a proposal'
      ? { contentType: ContentType.proposal, proposal: remove(party.leaf('bob')) }
      : { contentType: ContentType.application, applicationData: utf8('words') }),
  }
  return framePrivate(epoch, content, framing)
}

it.each(kinds)(
  'a PrivateMessage with %s that was forged without any fault is accepted, so that each fault counts',
  async (kind) => {
    const party = await Party.of(names, permissive)
    const message = await forged(party, kind, { padding: new Uint8Array(100) })
    for (const { group } of party.others('mallory')) {
      const received = await group.receive(message)
      expect(received.kind).toBe(kind === 'a proposal' ? 'proposal' : 'application')
    }
  },
)

describe.each(kinds)('a PrivateMessage with %s', (kind) => {
  /** The next honest message is of the same generation: the forgery must not have used its key. */
  async function expectRefused(framing: PrivateFraming, code: RefusalCode): Promise<void> {
    const party = await Party.of(names, permissive)
    await expectRefusedIn(party, await forged(party, kind, framing), code)
  }

  async function expectRefusedIn(
    party: Party,
    message: Uint8Array<ArrayBuffer>,
    code: RefusalCode,
  ) {
    for (const { group } of party.others('mallory')) {
      expect(await rejectionOf(group, message)).toBe(code)
      const genuine = await group.receive(await forged(party, kind))
      expect(genuine.kind).toBe(kind === 'a proposal' ? 'proposal' : 'application')
    }
  }

  it('whose padding is not zero is refused (valn1303)', async () => {
    for (const padding of [Uint8Array.of(1), Uint8Array.of(0, 0, 7), Uint8Array.of(128, 0)]) {
      await expectRefused({ padding }, 'message-padding-invalid')
    }
  })

  it('whose signature does not verify is refused (valn1304)', async () => {
    await expectRefused({ signature: touched }, 'message-signature-invalid')
    await expectRefused({ signature: () => emptyBytes }, 'message-signature-invalid')
  })

  it('that another member has signed is refused (valn1301, valn1304)', async () => {
    const party = await Party.of(names, permissive)
    const { signer } = party.at('bob').person.own
    await expectRefusedIn(party, await forged(party, kind, { signer }), 'message-signature-invalid')
  })

  it('that was signed in the name of another member is refused (valn1304)', async () => {
    const party = await Party.of(names, permissive)
    const message = await forged(party, kind, {}, 'bob')
    await expectRefusedIn(party, message, 'message-signature-invalid')
  })

  it.each([4, 5, 0x40000000, 0x80000003, 0xffffffff])(
    'from leaf %i, where nobody is, is refused (valn1306)',
    async (leaf) => {
      const senderData: PrivateFraming['senderData'] = (honest) => ({
        ...honest,
        leafIndex: leaf as LeafIndex,
      })
      await expectRefused({ senderData }, 'message-sender-unknown')
    },
  )

  it('from a leaf that was left blank is refused (valn1306)', async () => {
    const party = await Party.of(['alice', 'bob', 'carol', 'dave', 'mallory'], permissive)
    const gone = party.leaf('dave')
    await party.commit('alice', [remove(gone)])
    const senderData: PrivateFraming['senderData'] = (of) => ({ ...of, leafIndex: gone })
    const message = await forged(party, kind, { senderData })
    await expectRefusedIn(party, message, 'message-sender-unknown')
  })

  it('under the leaf of another member does not open', async () => {
    const party = await Party.of(names, permissive)
    const leafIndex = party.leaf('bob')
    const senderData: PrivateFraming['senderData'] = (honest) => ({ ...honest, leafIndex })
    const message = await forged(party, kind, { senderData })
    expect(await rejectionOf(party.group('alice'), message)).toBe('message-undecryptable')
    expect(await rejectionOf(party.group('bob'), message)).toBe('message-own')
  })

  it('cut anywhere, its tags included, is refused', async () => {
    const party = await Party.of(names, permissive)
    const whole = decode(MlsMessage, await forged(party, kind))
    if (whole.wireFormat !== WireFormat.privateMessage) throw new Error('not a PrivateMessage')
    const { privateMessage } = whole
    for (const field of ['ciphertext', 'encryptedSenderData'] as const) {
      for (const length of [0, 1, 12, 15, privateMessage[field].length - 1]) {
        const cut = { ...privateMessage, [field]: privateMessage[field].slice(0, length) }
        const message = encode(MlsMessage, { ...whole, privateMessage: cut })
        expect(await rejectionOf(party.group('alice'), message)).toBe('message-undecryptable')
      }
    }
  })
})

describe('a handshake in a PrivateMessage', () => {
  it('is refused where the policy wants to be followed from outside', async () => {
    const party = await Party.of(names, {
      ...permissive,
      policy: { ...permissivePolicy, handshakes: 'public' },
    })
    const message = await forged(party, 'a proposal')
    await expectRejected(party, 'mallory', message, 'message-wire-format-unexpected')
    const proposal = { proposalType: ProposalType.selfRemove } as const
    await expect(party.group('alice').propose(proposal, { encrypted: true })).rejects.toMatchObject(
      { code: 'message-wire-format-unexpected' },
    )
  })

  it('with a SelfRemove is refused, which a newcomer could not read', async () => {
    const party = await Party.of(names, permissive)
    const epoch = copyOf(party, party.at('mallory'))
    const selfRemove = { proposalType: ProposalType.selfRemove } as const
    const content: FramedContent = {
      ...contentOf(epoch),
      contentType: ContentType.proposal,
      proposal: selfRemove,
    }
    const message = await framePrivate(epoch, content)
    await expectRejected(party, 'mallory', message, 'message-wire-format-unexpected')
    const own = party.group('alice').propose(selfRemove, { encrypted: true })
    await expect(own).rejects.toEqual(refusal('message-wire-format-unexpected'))
    expect(party.group('alice').public.proposals.size).toBe(0)
  })

  it('with a proposal that is not valid is refused, as it would be in the open', async () => {
    const party = await Party.of(names, permissive)
    const epoch = copyOf(party, party.at('mallory'))
    const content: FramedContent = {
      ...contentOf(epoch),
      contentType: ContentType.proposal,
      proposal: remove(77 as LeafIndex),
    }
    const message = await framePrivate(epoch, content)
    await expectRejected(party, 'mallory', message, 'proposal-removes-blank-leaf')
  })
})
