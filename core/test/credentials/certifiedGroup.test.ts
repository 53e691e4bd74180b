import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { identityPolicy, x509Validator } from '../../src/credentials/index.ts'
import { createKeyPackage, type OwnLeaf } from '../../src/mls/bootstrap/index.ts'
import { Group, type PendingCommit } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import type { RatchetTree } from '../../src/wire/index.ts'
import { add, groupAfter, Party, viewOf, welcomeIn } from '../mls/party.ts'
import { refusal } from '../mls/refusals.ts'
import { credentialOf, type Holder, hour, issueAuthority, trustIn } from './certificates.ts'
import { certify, nameOf, ownLeaf } from './certified.ts'

/** A party without members: only keys, clock and log. */
function stage(): Promise<Party> {
  return Party.of(['nobody'], { policy: permissivePolicy, extensions: [] })
}

describe('a group with X.509 credentials', () => {
  it('takes in who is certified, once, and nobody else', async () => {
    const root = await issueAuthority('Root', { kind: 'P-384' })
    const stranger = await issueAuthority('Root', { kind: 'P-384' })
    const policy = identityPolicy({
      x509: { validator: x509Validator(trustIn([root])), identityOf: nameOf },
    })
    const party = await stage()
    const environment = { ...party.environment, policy }
    const member = async (authority: Holder, email: string): Promise<OwnLeaf> => {
      const signer = await party.suite.generateSigner()
      return ownLeaf(signer, credentialOf(await certify(authority, signer, email)))
    }
    const group = await Group.found(environment, {
      cipherSuite: 1,
      groupId: utf8('certified'),
      own: await member(root, 'ann@example.org'),
      lifetime: party.lifetime(),
      extensions: [],
    })
    const commitAdd = async (own: OwnLeaf) => {
      const { keyPackage } = await createKeyPackage(party.suite, own, party.lifetime())
      return group.commit({ proposals: [add(keyPackage)], authenticatedData: emptyBytes })
    }
    const before = viewOf(group)
    await expect(commitAdd(await member(stranger, 'bob@example.org'))).rejects.toEqual(
      refusal('credential-signature-invalid'),
    )
    expect(viewOf(group)).toEqual(before)
    await expect(commitAdd(await member(root, 'ann@example.org'))).rejects.toEqual(
      refusal('proposals-client-already-member'),
    )
    const pending = await commitAdd(await member(root, 'bob@example.org'))
    expect(pending.effect.added).toHaveLength(1)
  })

  it('lets clocks and certificates run, and judges by time only who comes', async () => {
    const minute = 60_000
    const root = await issueAuthority('Root')
    const party = await stage()
    const trust = { ...trustIn([root]), clock: party.clock }
    const policy = identityPolicy({
      x509: { validator: x509Validator(trust), identityOf: nameOf },
    })
    const strict = { ...party.environment, policy }
    const careless = { ...party.environment, policy: permissivePolicy }
    const lifetime = party.lifetime(48 * 3600)
    const member = async (name: string, until: number) => {
      const signer = await party.suite.generateSigner()
      const certificate = await certify(root, signer, `${name}@example.org`, { until })
      const own = ownLeaf(signer, credentialOf(certificate))
      return { own, bundle: await createKeyPackage(party.suite, own, lifetime) }
    }
    const [ann, bob, carol, late, later] = await Promise.all([
      member('ann', hour),
      member('bob', hour),
      member('carol', 24 * hour),
      member('late', 2 * hour - 5 * minute),
      member('later', 2 * hour - 15 * minute),
    ])
    const commitAdd = (group: Group, { bundle }: typeof bob) =>
      group.commit({ proposals: [add(bundle.keyPackage)], authenticatedData: emptyBytes })
    const join = (ratchetTree: RatchetTree, { bundle }: typeof bob, { welcome }: PendingCommit) =>
      Group.join(strict, {
        welcome: welcomeIn(welcome),
        bundle,
        ratchetTree: async () => ratchetTree,
      })

    let group = await Group.found(careless, {
      cipherSuite: 1,
      groupId: utf8('certified'),
      own: ann.own,
      lifetime,
      extensions: [],
    })
    const withBob = await commitAdd(group, bob)
    group = group.confirm(withBob)
    let his = await join(group.ratchetTree, bob, withBob)
    party.clock.advance(2 * hour)
    const withCarol = await commitAdd(group, carol)
    his = groupAfter(await his.receive(withCarol.message))
    group = group.confirm(withCarol)
    const hers = await join(group.ratchetTree, carol, withCarol)
    expect(viewOf(hers)).toEqual(viewOf(his))

    const expired = refusal('credential-expired')
    await expect(commitAdd(his, late)).rejects.toEqual(expired)
    const tooLate = await commitAdd(group, later)
    expect(await his.receive(tooLate.message)).toMatchObject({ kind: 'rejected', error: expired })
    const justInTime = await commitAdd(group, late)
    const after = groupAfter(await his.receive(justInTime.message))
    expect(viewOf(after)).toEqual(viewOf(group.confirm(justInTime)))
  })
})
