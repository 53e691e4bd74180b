import { generateKeyPairSync } from 'node:crypto'
import { encode, utf8 } from '@conclave/core/codec'
import { verifyWithLabel, webPublicCrypto } from '@conclave/core/crypto/public'
import {
  FramedContentTbs,
  type GroupContext,
  type LeafIndex,
  ProposalType,
  SenderType,
} from '@conclave/core/wire'
import { generateRemovalSigner } from '@conclave/keyserver'
import { describe, expect, test } from 'vitest'
import { importRemovalSigner } from '../src/removalSigner.ts'

const { subtle } = globalThis.crypto
const suite = webPublicCrypto(subtle).publicSuite(1)
const context: GroupContext = {
  version: 1,
  cipherSuite: 1,
  groupId: utf8('group'),
  epoch: 7n,
  treeHash: utf8('tree'),
  confirmedTranscriptHash: utf8('transcript'),
  extensions: [],
}

describe('the keyserver’s signature', () => {
  test('stands under a Remove from external sender 0, in this group and epoch', async () => {
    const signer = await generateRemovalSigner(subtle)
    const { content, auth } = await signer.signRemoval(context, 3 as LeafIndex)
    expect(content).toMatchObject({
      groupId: context.groupId,
      epoch: 7n,
      sender: { senderType: SenderType.external, senderIndex: 0 },
      proposal: { proposalType: ProposalType.remove, removed: 3 },
    })
    if (suite === undefined) throw new Error('suite 1 is missing')
    const signed = encode(FramedContentTbs, { version: 1, wireFormat: 1, content, context })
    const { signatureKey } = signer.externalSender
    const verify = (label: string) =>
      verifyWithLabel(suite, signatureKey, label, signed, auth.signature)
    expect(await verify('FramedContentTBS')).toBe(true)
    expect(await verify('KeyPackageTBS')).toBe(false)
  })

  test('comes from a key that cannot be taken out or used for anything else', async () => {
    const signer = await generateRemovalSigner(subtle)
    expect(Object.keys(signer).sort()).toEqual(['externalSender', 'signRemoval'])
    expect(JSON.stringify(signer)).not.toContain('private')
    const other = await generateRemovalSigner(subtle)
    expect(other.externalSender.signatureKey).not.toEqual(signer.externalSender.signatureKey)
  })

  test('stands under the key that the operator gave', async () => {
    if (suite === undefined) throw new Error('suite 1 is missing')
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const pkcs8 = new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }))
    const signer = await importRemovalSigner(subtle, pkcs8)
    const { signatureKey } = signer.externalSender
    expect(Buffer.from(signatureKey).toString('base64url')).toBe(
      publicKey.export({ format: 'jwk' }).x,
    )
    const { content, auth } = await signer.signRemoval(context, 3 as LeafIndex)
    const signed = encode(FramedContentTbs, { version: 1, wireFormat: 1, content, context })
    expect(
      await verifyWithLabel(suite, signatureKey, 'FramedContentTBS', signed, auth.signature),
    ).toBe(true)
  })
})
