import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, emptyBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import type { SecretSuite } from '../../src/crypto/secret/index.ts'
import { noPadding } from '../../src/mls/treedem/padding.ts'
import { protectPrivate } from '../../src/mls/treedem/privateMessage.ts'
import { signFramedContent } from '../../src/mls/treedem/signFramedContent.ts'
import {
  type AuthenticatedContent,
  PrivateMessage,
  privateMessageContent,
  SenderData,
} from '../../src/wire/index.ts'
import { ContentType, ProposalType, SenderType, WireFormat } from '../../src/wire/registry.ts'
import { type Body, contains, leafAt, PrivateGroup, text } from './privateGroup.ts'
import { refusal } from './refusals.ts'
import { suite } from './testCrypto.ts'

const [alice, bob, carol, nobody] = [0, 1, 2, 3]
const proposal: Body = {
  contentType: ContentType.proposal,
  proposal: { proposalType: ProposalType.selfRemove },
}
const commit: Body = { contentType: ContentType.commit, commit: { proposals: [], path: undefined } }

/** `receiver` refuses `message` with `code` and is exactly as before. */
async function expectRefused(
  group: PrivateGroup,
  receiver: number,
  message: PrivateMessage,
  code: string,
): Promise<void> {
  const before = group.state(receiver)
  await expect(group.receive(receiver, message)).rejects.toEqual(refusal(code))
  expect(toHex(group.state(receiver))).toBe(toHex(before))
}

function touchedAt(bytes: Bytes, place: number): Bytes {
  return bytes.map((byte, i) => (i === place ? byte ^ 0x40 : byte))
}

function plaintextOf({ content, auth }: AuthenticatedContent, padding: Bytes): Bytes {
  return encode(privateMessageContent(content.contentType), { ...content, auth, padding })
}

describe('a PrivateMessage', () => {
  it.each([
    ['application data', text('hello')],
    ['empty application data', text('')],
    ['a proposal', proposal],
    ['a commit', commit],
  ])('with %s opens at every other member', async (_, body) => {
    const group = await PrivateGroup.create()
    const message = decode(PrivateMessage, encode(PrivateMessage, await group.send(alice, body)))
    for (const receiver of [bob, carol]) {
      expect(await group.receive(receiver, message)).toMatchObject({
        ...body,
        sender: { senderType: SenderType.member, leafIndex: alice },
        authenticatedData: utf8('authenticated'),
      })
    }
  })

  it('says its generation, which application data and handshakes count apart', async () => {
    const group = await PrivateGroup.create()
    for (const [body, generation] of [
      [text('first'), 0],
      [text('second'), 1],
      [proposal, 0],
      [commit, 1],
      [text('third'), 2],
    ] as const) {
      const opened = await group.unprotect(bob, await group.send(alice, body))
      expect(opened.generation).toBe(generation)
      opened.accept()
    }
  })

  it('hides who sent it and is never twice the same', async () => {
    const group = await PrivateGroup.create()
    const content = await group.sign(alice, text('again'))
    const sent = await Promise.all(
      [1, 2].map(() => protectPrivate(group.crypto, group.secretsFor(alice), content, noPadding)),
    )
    // The same generation twice, as after a restored backup: the reuse guard tells them apart.
    const [first, second] = sent.map(({ ciphertext }) => toHex(ciphertext))
    expect(first).not.toBe(second)
    for (const message of sent) {
      const opened = await group.unprotectWith(group.secretsFor(bob), message)
      expect(opened.authenticated).toEqual(content)
    }
  })

  it('opens once', async () => {
    const group = await PrivateGroup.create()
    const message = await group.send(alice, text('once'))
    await group.receive(bob, message)
    await expectRefused(group, bob, message, 'message-key-consumed')
  })

  it('opens again where it was refused', async () => {
    const group = await PrivateGroup.create()
    const message = await group.send(alice, text('not yet'))
    const before = group.state(bob)
    const opened = await group.unprotect(bob, message)
    opened.refuse()
    opened.refuse()
    expect(() => opened.accept()).toThrow(refusal('message-key-consumed'))
    expect(group.state(bob)).toEqual(before)
    await group.receive(bob, message)
  })

  it('that opens twice at the same time is accepted once', async () => {
    const group = await PrivateGroup.create()
    const message = await group.send(alice, text('both'))
    const [first, second] = await Promise.all([1, 2].map(() => group.unprotect(bob, message)))
    second?.accept()
    expect(() => first?.accept()).toThrow(refusal('message-key-consumed'))
    expect(() => second?.accept()).toThrow(refusal('message-key-consumed'))
    await group.receive(bob, await group.send(alice, text('next')))
  })

  it('of a generation that the sender uses twice is accepted once', async () => {
    const group = await PrivateGroup.create()
    const [left, right] = await Promise.all(
      ['to you', 'to them'].map(async (words) => {
        const content = await group.sign(alice, text(words))
        return protectPrivate(group.crypto, group.secretsFor(alice), content, noPadding)
      }),
    )
    if (left === undefined || right === undefined) throw new Error('nothing was sent')
    await group.receive(bob, left)
    await expectRefused(group, bob, right, 'message-key-consumed')
  })

  it('that opens while later ones do is accepted in any order', async () => {
    const group = await PrivateGroup.create()
    const messages = []
    for (const words of ['0', '1', '2', '3']) messages.push(await group.send(alice, text(words)))
    const opened = await Promise.all(messages.map((message) => group.unprotect(bob, message)))
    for (const i of [2, 0, 3, 1]) opened[i]?.accept()
    for (const message of messages) {
      await expectRefused(group, bob, message, 'message-key-consumed')
    }
    expect(await group.receive(bob, await group.send(alice, text('4')))).toMatchObject(text('4'))
  })

  it('of another epoch or another group opens nowhere', async () => {
    const group = await PrivateGroup.create()
    const elsewhere = await PrivateGroup.create()
    const message = await group.send(alice, text('here'))
    await expectRefused(elsewhere, bob, message, 'message-undecryptable')
    const { epoch, groupId } = message
    for (const moved of [
      { ...message, epoch: epoch + 1n },
      { ...message, groupId: concatBytes(groupId, groupId) },
    ]) {
      await expectRefused(group, bob, moved, 'message-undecryptable')
    }
  })

  it('of a member of an earlier epoch does not pass for the one at its leaf now', async () => {
    const before = await PrivateGroup.create({ epoch: 6n })
    const now = await PrivateGroup.create({ epoch: 7n })
    const message = await before.send(alice, text('as alice'))
    await expectRefused(now, bob, { ...message, epoch: 7n }, 'message-undecryptable')
  })

  it('with any byte changed is refused, and then opens as it was', async () => {
    const group = await PrivateGroup.create({ size: 2 })
    const genuine = await group.send(alice, text('intact'))
    const parts = ['groupId', 'authenticatedData', 'encryptedSenderData', 'ciphertext'] as const
    for (const part of parts) {
      expect(genuine[part].length).toBeGreaterThan(0)
      for (let place = 0; place < genuine[part].length; place++) {
        const forged = { ...genuine, [part]: touchedAt(genuine[part], place) }
        await expectRefused(group, bob, forged, 'message-undecryptable')
      }
    }
    for (const contentType of [ContentType.proposal, ContentType.commit]) {
      await expectRefused(group, bob, { ...genuine, contentType }, 'message-undecryptable')
    }
    await group.receive(bob, genuine)
  })

  it('cut off anywhere, down to nothing, is refused', async () => {
    const group = await PrivateGroup.create({ size: 2 })
    const genuine = await group.send(alice, text('whole'))
    for (const part of ['encryptedSenderData', 'ciphertext'] as const) {
      for (let length = 0; length < genuine[part].length; length++) {
        const cut = { ...genuine, [part]: genuine[part].slice(0, length) }
        await expectRefused(group, bob, cut, 'message-undecryptable')
      }
    }
    // Cut by a member, who makes the sender data fit what is left.
    for (const length of [0, 1, 15, 16, 17, genuine.ciphertext.length - 1]) {
      const senderData = encode(SenderData, {
        leafIndex: leafAt(alice),
        generation: 0,
        reuseGuard: new Uint8Array(4),
      })
      const ciphertext = genuine.ciphertext.slice(0, length)
      const sealed = await group.sealSenderData(genuine, ciphertext, senderData)
      await expectRefused(group, bob, { ...genuine, ...sealed }, 'message-undecryptable')
    }
    await group.receive(bob, genuine)
  })

  it('of our own is recognised', async () => {
    const group = await PrivateGroup.create()
    const message = await group.send(alice, text('echo'))
    await expectRefused(group, alice, message, 'message-own')
  })

  it.each([nobody, 4, 0x40000000, 0x80000000, 0x80000001, 0xffffffff])(
    'from leaf %i, where nobody is, is refused (valn1306)',
    async (leaf) => {
      const group = await PrivateGroup.create()
      const content = await group.sign(bob, text('nobody'))
      const message = await group.forge({
        leaf: bob,
        plaintext: plaintextOf(content, emptyBytes),
        senderData: (honest) =>
          encode(SenderData, { ...decode(SenderData, honest), leafIndex: leafAt(leaf) }),
      })
      await expectRefused(group, alice, message, 'message-sender-unknown')
    },
  )

  it('that is sealed with the key of a blank leaf is refused (valn1306)', async () => {
    const group = await PrivateGroup.create()
    const content = await group.sign(bob, text('blank'))
    const plaintext = plaintextOf(content, emptyBytes)
    const message = await group.forge({ leaf: nobody, plaintext })
    await expectRefused(group, alice, message, 'message-sender-unknown')
  })

  it('by another member under our name or its own is refused, and costs the real one nothing (valn1301, valn1304)', async () => {
    const group = await PrivateGroup.create()
    const genuine = await group.send(bob, text('bob'))
    const impostor = await group.sign(bob, text('not bob'), carol)
    const inBobsName = await group.forge({
      leaf: bob,
      plaintext: plaintextOf(impostor, emptyBytes),
    })
    await expectRefused(group, alice, inBobsName, 'message-signature-invalid')
    const bobs = await group.sign(bob, text('bob'))
    const reframed = await group.forge({ leaf: carol, plaintext: plaintextOf(bobs, emptyBytes) })
    await expectRefused(group, alice, reframed, 'message-signature-invalid')
    await group.receive(alice, genuine)
  })

  it('whose signature was made for a PublicMessage is refused', async () => {
    const group = await PrivateGroup.create()
    const { content } = await group.sign(bob, proposal)
    const { publicMessage } = WireFormat
    const signature = await signFramedContent(
      group.signer(bob),
      publicMessage,
      content,
      group.context,
    )
    const message = await group.forge({
      leaf: bob,
      contentType: ContentType.proposal,
      plaintext: encode(privateMessageContent(ContentType.proposal), {
        ...proposal,
        auth: { signature },
        padding: emptyBytes,
      }),
    })
    await expectRefused(group, alice, message, 'message-signature-invalid')
  })

  it('whose authenticated data were exchanged by a member is refused', async () => {
    const group = await PrivateGroup.create()
    const bobs = await group.sign(bob, text('bob'))
    const message = await group.forge({
      leaf: bob,
      authenticatedData: utf8('other'),
      plaintext: plaintextOf(bobs, emptyBytes),
    })
    await expectRefused(group, alice, message, 'message-signature-invalid')
  })

  it('whose padding is not zero, first, last or between, is refused (valn1303)', async () => {
    const group = await PrivateGroup.create()
    const content = await group.sign(bob, text('covert'))
    for (const place of [0, 7, 15]) {
      const padding = new Uint8Array(16).fill(1, place, place + 1)
      const message = await group.forge({ leaf: bob, plaintext: plaintextOf(content, padding) })
      await expectRefused(group, alice, message, 'message-padding-invalid')
    }
    const sound = plaintextOf(content, new Uint8Array(16))
    await group.receive(alice, await group.forge({ leaf: bob, plaintext: sound }))
  })

  it.each([
    ['cut short', (bytes: Bytes) => bytes.slice(0, 5), 'codec-truncated'],
    ['empty', () => emptyBytes, 'codec-truncated'],
    ['headed by a length not in its shortest form', longHead, 'codec-bad-length'],
  ])('whose content is %s is refused', async (_, change, code) => {
    const group = await PrivateGroup.create()
    const content = await group.sign(bob, text('malformed'))
    const plaintext = change(plaintextOf(content, emptyBytes))
    await expectRefused(group, alice, await group.forge({ leaf: bob, plaintext }), code)
  })

  it('with a content of another type than it says is refused', async () => {
    const group = await PrivateGroup.create()
    const plaintext = plaintextOf(await group.sign(bob, text('data')), emptyBytes)
    const contentType = ContentType.commit
    const message = await group.forge({ leaf: bob, contentType, plaintext })
    await expectRefused(group, alice, message, 'codec-unknown-case')
  })

  it.each([
    ['cut short', (bytes: Bytes) => bytes.slice(0, 11), 'codec-truncated'],
    ['empty', () => emptyBytes, 'codec-truncated'],
    ['too long', (bytes: Bytes) => concatBytes(bytes, bytes), 'codec-trailing-bytes'],
  ])('whose sender data are %s is refused', async (_, senderData, code) => {
    const group = await PrivateGroup.create()
    const plaintext = plaintextOf(await group.sign(bob, text('who')), emptyBytes)
    const message = await group.forge({ leaf: bob, plaintext, senderData })
    await expectRefused(group, alice, message, code)
  })

  it('of a generation too far ahead is refused, and one as far as allowed opens', async () => {
    const limits = { maxForwardGenerations: 10, maxKeptKeys: 4 }
    const group = await PrivateGroup.create({ limits })
    const plaintext = plaintextOf(await group.sign(bob, text('far')), emptyBytes)
    for (const generation of [11, 1000]) {
      const message = await group.forge({ leaf: bob, generation, plaintext })
      await expectRefused(group, alice, message, 'message-generation-too-far')
    }
    const claimed = await group.forge({
      leaf: bob,
      plaintext,
      senderData: (honest) =>
        encode(SenderData, { ...decode(SenderData, honest), generation: 2 ** 32 - 1 }),
    })
    await expectRefused(group, alice, claimed, 'message-generation-too-far')
    await group.receive(alice, await group.forge({ leaf: bob, generation: 10, plaintext }))
    // The keys of the four before it are kept, older ones are not.
    for (const [generation, code] of [
      [5, 'message-key-consumed'],
      [6, undefined],
      [9, undefined],
      [9, 'message-key-consumed'],
      [22, 'message-generation-too-far'],
      [21, undefined],
    ] as const) {
      const message = await group.forge({ leaf: bob, generation, plaintext })
      if (code === undefined) await group.receive(alice, message)
      else await expectRefused(group, alice, message, code)
    }
  })

  it('that claims another generation than its key has is refused, and moves nothing', async () => {
    const group = await PrivateGroup.create()
    const genuine = await group.send(bob, text('first'))
    const plaintext = plaintextOf(await group.sign(bob, text('lie')), emptyBytes)
    for (const generation of [1, 900, 1024]) {
      const message = await group.forge({
        leaf: bob,
        plaintext,
        senderData: (honest) => encode(SenderData, { ...decode(SenderData, honest), generation }),
      })
      await expectRefused(group, alice, message, 'message-undecryptable')
    }
    await group.receive(alice, genuine)
  })
})

describe('protecting and opening', () => {
  it('leave no secret in memory but those of the state', async () => {
    const handedOut: Bytes[] = []
    const plain = suite()
    const expand: SecretSuite['expand'] = (key, info, length) => {
      const bytes = plain.expand(key, info, length)
      handedOut.push(bytes)
      return bytes
    }
    const group = await PrivateGroup.create({ crypto: { ...plain, expand } })
    const sent = []
    for (const words of '012345') sent.push(await group.send(alice, text(words)))
    const [first, second, , fourth, , sixth] = sent as [PrivateMessage, ...PrivateMessage[]]
    for (const message of [second, fourth] as PrivateMessage[]) {
      const opened = await group.unprotect(bob, message)
      opened.accept()
    }
    const refused = await group.unprotect(bob, first)
    refused.refuse()
    for (const message of [first, sixth] as PrivateMessage[]) {
      const ciphertext = touchedAt(message.ciphertext, 60)
      await expectRefused(group, bob, { ...message, ciphertext }, 'message-undecryptable')
    }
    const encryptedSenderData = touchedAt(first.encryptedSenderData, 0)
    await expectRefused(group, bob, { ...first, encryptedSenderData }, 'message-undecryptable')
    const states = [group.state(alice), group.state(bob)]
    const alive = handedOut.filter((bytes) => bytes.some((byte) => byte !== 0))
    expect(handedOut.length).toBeGreaterThan(50)
    // Each: the siblings of two nodes, two ratchets; bob also two keys and nonces of the skipped.
    expect(alive.length).toBe(2 * (2 + 2) + 2 * 2)
    for (const bytes of alive) {
      expect(states.some((state) => contains(state, bytes))).toBe(true)
    }
  })
})

describe('protecting', () => {
  it('takes nothing that was signed for a PublicMessage', async () => {
    const group = await PrivateGroup.create()
    const before = group.state(alice)
    const { publicMessage: wireFormat } = WireFormat
    const content = { ...(await group.sign(alice, proposal)), wireFormat }
    await expect(protectPrivate(group.crypto, group.at(alice), content, noPadding)).rejects.toEqual(
      refusal('message-wire-format-unexpected'),
    )
    expect(group.state(alice)).toEqual(before)
  })

  it('is for our own leaf alone (valn1305)', async () => {
    const group = await PrivateGroup.create()
    const before = group.state(alice)
    const signed = await group.sign(bob, proposal)
    for (const sender of [
      signed.content.sender,
      { senderType: SenderType.external, senderIndex: 0 },
      { senderType: SenderType.newMemberProposal },
      { senderType: SenderType.newMemberCommit },
    ]) {
      const content = { ...signed, content: { ...signed.content, sender } }
      await expect(
        protectPrivate(group.crypto, group.at(alice), content, noPadding),
      ).rejects.toEqual(refusal('message-sender-not-allowed'))
    }
    expect(group.state(alice)).toEqual(before)
  })

  it('at the same time never uses a generation twice', async () => {
    const group = await PrivateGroup.create()
    const sent = await Promise.all(
      Array.from({ length: 20 }, (_, i) => group.send(alice, text(`${i}`))),
    )
    const opened = await Promise.all(sent.map((message) => group.unprotect(bob, message)))
    expect(new Set(opened.map(({ generation }) => generation)).size).toBe(20)
    for (const each of opened) each.accept()
  })
})

/** The content's first vector, which is short, with a length header of two bytes. */
function longHead(bytes: Bytes): Bytes {
  return concatBytes(Uint8Array.of(0x40, bytes[0] as number), bytes.slice(1))
}
