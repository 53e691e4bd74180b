import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import { Group } from '../../src/mls/group/index.ts'
import { MlsError, permissivePolicy } from '../../src/mls/public/index.ts'
import { Credential, ExternalPub } from '../../src/wire/index.ts'
import { ExtensionType, PskType } from '../../src/wire/registry.ts'
import { groupInfoOf, knock, permissive } from './knocking.ts'
import { touched } from './malformed.ts'
import { Party, publicMessageIn } from './party.ts'
import { refusal } from './refusals.ts'

describe('an external commit is not even made', () => {
  it('from a GroupInfo without external_pub', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const dave = await party.person('dave')
    const groupInfo = await groupInfoOf(party, { ratchetTree: true })
    const joining = Group.joinExternally(party.environment, { groupInfo, own: dave.own })
    await expect(joining).rejects.toEqual(refusal('external-pub-missing'))
  })

  it.each<[string, Uint8Array<ArrayBuffer>, string]>([
    ['of no length', new Uint8Array(0), 'extension-malformed'],
    ['that is no key', new Uint8Array(31), 'crypto-invalid-key'],
    ['of the order one', new Uint8Array(32), 'crypto-invalid-key'],
  ])('with an external_pub %s', async (_, externalPub, code) => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const dave = await party.person('dave')
    const honest = await groupInfoOf(party, { ratchetTree: true })
    const extensionData =
      code === 'extension-malformed' ? externalPub : encode(ExternalPub, { externalPub })
    const { signer } = party.at('bob').person.own
    const groupInfo = await signGroupInfo(signer, {
      ...honest,
      extensions: [
        ...honest.extensions,
        { extensionType: ExtensionType.externalPub, extensionData },
      ],
    })
    const joining = Group.joinExternally(party.environment, { groupInfo, own: dave.own })
    await expect(joining).rejects.toEqual(refusal(code))
  })

  it('from a GroupInfo that nobody in the group has signed', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const dave = await party.person('dave')
    const honest = await groupInfoOf(party)
    const groupInfo = { ...honest, signature: touched(honest.signature) }
    const joining = Group.joinExternally(party.environment, { groupInfo, own: dave.own })
    await expect(joining).rejects.toEqual(refusal('group-info-signature-invalid'))
  })

  it('by who is in the group already and does not say so', async () => {
    const party = await Party.of(['alice', 'bob'], {
      ...permissive,
      policy: {
        ...permissivePolicy,
        clientOf: ({ credential }) => toHex(encode(Credential, credential)),
      },
    })
    const again = knock(party, party.at('bob').person)
    await expect(again).rejects.toEqual(refusal('leaf-signature-key-duplicate'))
    const withAnotherKey = knock(party, await party.person('bob'))
    await expect(withAnotherKey).rejects.toEqual(refusal('proposals-client-already-member'))
  })

  it('in place of nobody', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const replaces = 7 as Group['leafIndex']
    const joining = knock(party, await party.person('dave'), { replaces })
    await expect(joining).rejects.toEqual(refusal('proposal-removes-blank-leaf'))
  })

  it('with a SelfRemove of the epoch before, or of nobody', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const stale = publicMessageIn(await party.group('bob').proposeSelfRemove())
    const dave = await party.person('dave')
    const forged = { ...stale, auth: { signature: touched(stale.auth.signature) } }
    await expect(knock(party, dave, { selfRemoves: [forged] })).rejects.toEqual(
      refusal('message-signature-invalid'),
    )
    await party.commit('carol')
    await expect(knock(party, dave, { selfRemoves: [stale] })).rejects.toEqual(
      refusal('message-epoch-past'),
    )
  })

  it('with a pre-shared key that is not at hand', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const psk = { pskType: PskType.external, pskId: utf8('?'), pskNonce: new Uint8Array(32) }
    const joining = knock(party, await party.person('dave'), { preSharedKeys: [psk] })
    await expect(joining).rejects.toEqual(refusal('commit-psk-missing'))
  })

  it('by whom the policy does not want', async () => {
    const party = await Party.of(['alice', 'bob'], {
      ...permissive,
      policy: {
        ...permissivePolicy,
        checkProposals: ({ externalInit }) => {
          if (externalInit !== undefined) throw new MlsError('message-sender-not-allowed', 'closed')
        },
      },
    })
    const joining = knock(party, await party.person('dave'))
    await expect(joining).rejects.toEqual(refusal('message-sender-not-allowed'))
  })
})
