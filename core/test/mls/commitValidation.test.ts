import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { RatchetTree } from '../../src/wire/index.ts'
import { ProposalType, PskType } from '../../src/wire/registry.ts'
import { byReference, byValue, epochOf, forgeCommit, forgeNewcomer, touched } from './malformed.ts'
import { add, Party, publicMessageIn, remove, viewOf } from './party.ts'
import { expectCommitRefused, expectRejected, rejectionOf } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave', 'mallory']

function mallorys(party: Party) {
  return epochOf(party.group('mallory'))
}

it('a commit that was forged without any fault is accepted, so that each fault counts', async () => {
  const party = await Party.of(names)
  await party.commit('bob')
  const keyPackage = await forgeNewcomer(party, {})
  const leaving = byReference(await party.cache(await party.group('carol').proposeSelfRemove()))
  const { message, groupInfo, welcome, context, tree } = await forgeCommit(await mallorys(party), {
    proposals: [leaving, byValue(add(keyPackage))],
  })
  const follower = party.group('alice').public
  const accepted = await follower.withCommit(publicMessageIn(message), groupInfo, welcome)
  await party.deliver(message, party.others('mallory'))
  expect(accepted.group.groupContext).toEqual(context)
  expect(party.group('alice').groupContext).toEqual(context)
  expect(encode(RatchetTree, party.group('dave').ratchetTree)).toEqual(
    encode(RatchetTree, tree.toRatchetTree()),
  )
})

describe('a commit', () => {
  it('that has to have a path and has none is refused (valn1206)', async () => {
    const path = () => undefined
    for (const policy of ['meeting', 'permissive'] as const) {
      const party = await Party.of(
        names,
        policy === 'meeting' ? {} : { policy: permissivePolicy, extensions: [] },
      )
      const empty = await forgeCommit(await mallorys(party), { path })
      await expectCommitRefused(party, 'mallory', empty, 'commit-path-missing')
      if (policy === 'meeting') {
        const leaving = await party.cache(await party.group('bob').proposeSelfRemove())
        const proposals = [byReference(leaving)]
        const { message } = await forgeCommit(await mallorys(party), { path, proposals })
        expect(await rejectionOf(party.group('alice'), message)).toBe('commit-path-missing')
      } else {
        for (const proposal of [
          remove(party.leaf('bob')),
          { proposalType: ProposalType.groupContextExtensions, extensions: [] },
        ]) {
          const proposals = [byValue(proposal), byValue(add(await forgeNewcomer(party, {})))]
          const forged = await forgeCommit(await mallorys(party), { path, proposals })
          await expectCommitRefused(party, 'mallory', forged, 'commit-path-missing')
        }
      }
    }
  })

  it('that only adds may go without a path where the policy allows it (valn1206)', async () => {
    const strict = await Party.of(names)
    const bare = await forgeCommit(await mallorys(strict), {
      proposals: [byValue(add(await forgeNewcomer(strict, {})))],
      path: () => undefined,
    })
    await expectCommitRefused(strict, 'mallory', bare, 'commit-path-missing')

    const party = await Party.of(names, { policy: permissivePolicy, extensions: [] })
    const { message } = await forgeCommit(await mallorys(party), {
      proposals: [byValue(add(await forgeNewcomer(party, {})))],
      path: () => undefined,
    })
    await party.deliver(message, party.others('mallory'))
    const [first, ...others] = party.others('mallory').map(({ group }) => viewOf(group))
    for (const view of others) expect(view).toEqual(first)
  })

  it('whose confirmation tag is not the one of the epoch is refused', async () => {
    const party = await Party.of(names)
    for (const change of [touched, () => emptyBytes]) {
      const { message } = await forgeCommit(await mallorys(party), {
        auth: ({ signature, confirmationTag = emptyBytes }) => ({
          signature,
          confirmationTag: change(confirmationTag),
        }),
      })
      await expectRejected(party, 'mallory', message, 'commit-confirmation-tag-invalid')
    }
  })

  it('with a pre-shared key that we do not have is refused (valn1205)', async () => {
    const party = await Party.of(names, { policy: permissivePolicy, extensions: [] })
    const psk = { pskType: PskType.external, pskId: utf8('?'), pskNonce: new Uint8Array(32) }
    const { message } = await forgeCommit(await mallorys(party), {
      proposals: [byValue({ proposalType: ProposalType.psk, psk })],
    })
    await expectRejected(party, 'mallory', message, 'commit-psk-missing')
  })

  it('that would remove us is no removal unless all else of it is right', async () => {
    const party = await Party.of(names)
    const leaving = byReference(await party.cache(await party.group('bob').proposeSelfRemove()))
    const bob = party.group('bob')
    const forged = async (change: Parameters<typeof forgeCommit>[1]) =>
      (await forgeCommit(await mallorys(party), { proposals: [leaving], ...change })).message
    expect(await rejectionOf(bob, await forged({ membershipTag: touched }))).toBe(
      'message-membership-tag-invalid',
    )
    expect(await rejectionOf(bob, await forged({ path: () => undefined }))).toBe(
      'commit-path-missing',
    )
    const proposals = [byValue(remove(bob.leafIndex))]
    expect(await rejectionOf(bob, await forged({ proposals }))).toBe('proposal-not-authorised')
    expect(await bob.receive(await forged({}))).toMatchObject({ kind: 'removed' })
  })
})
