import type { Signer } from '@conclave/core/crypto/secret'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import {
  allOffer,
  forgeReInit,
  freeze,
  nextSuite,
  offerOf,
  proposeReInit,
  refused,
  sendOffer,
} from '../support/continuing.ts'
import { eventually } from '../support/eventually.ts'
import { keyPackageOf, meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

type Three = [TestMember, TestMember, TestMember]

let clock: VirtualClock
let server: TestServer
let members: Three
let alice: TestMember
let bob: TestMember
let carol: TestMember
beforeEach(async () => {
  clock = new VirtualClock()
  server = await TestServer.start({ clock, graceMs: 10_000 })
  members = (await meetingOf(server, 'alice', 'bob', 'carol')) as Three
  ;[alice, bob, carol] = members
})

describe('a ReInit', () => {
  test('that changes more than the suite is refused', async () => {
    const forbidden = refused('message-invalid', 'reinit-not-allowed')
    const { groupId } = alice
    const { extensions } = alice.group.groupContext
    const changes = [
      { groupId: new Uint8Array(15) },
      { extensions: extensions.toReversed() },
      { cipherSuite: 2 },
      { cipherSuite: 7 },
    ]
    for (const change of changes) {
      const message = await forgeReInit(alice, change)
      expect(await alice.client.request('propose', { groupId, message })).toMatchObject(forbidden)
    }
    const message = await forgeReInit(alice, {})
    expect(await alice.client.request('propose', { groupId, message })).toMatchObject({ ok: true })
  })

  test('is not committed before everyone has offered, and names who has not', async () => {
    const seq = await proposeReInit(alice)
    await Promise.all(members.map((member) => member.receiveUpTo(seq)))
    const { upload, pending } = await bob.prepareCommit()
    const commit = () => bob.client.request('commit', upload)
    expect(await commit()).toMatchObject({ ...refused('reinit-unready'), leaves: [0, 1, 2] })
    await allOffer([carol, alice])
    expect(await commit()).toMatchObject({ ...refused('reinit-unready'), leaves: [1] })
    await allOffer([bob])
    const reply = await commit()
    expect(reply).toMatchObject({ ok: true })
    if (reply.ok) bob.confirm(pending, reply.seq)
    expect(await commit()).toEqual(reply)
  })

  test('is not committed before whoever is to be removed is', async () => {
    const seq = await proposeReInit(alice)
    await Promise.all(members.map((member) => member.receiveUpTo(seq)))
    await allOffer(members)
    const { upload } = await bob.prepareCommit()
    const left = await carol.leaveGroup()
    expect(await bob.client.request('commit', upload)).toMatchObject({
      ...refused('message-invalid', 'commit-omits-removal'),
      missed: [{ seq: left }],
    })
    await bob.receiveUpTo(left)
    await alice.receiveUpTo(left)
    await alice.receiveUpTo(await bob.commit())
    // A proposal lives for one epoch; what has been offered stays.
    const again = await proposeReInit(alice)
    await bob.receiveUpTo(again)
    await bob.commit()
    expect(bob.group.public.reInit).toBeDefined()
  })

  test('that members could not apply is undone, and can be committed again', async () => {
    const seq = await proposeReInit(alice)
    await Promise.all(members.map((member) => member.receiveUpTo(seq)))
    await allOffer(members)
    const { upload } = await bob.prepareCommit()
    const { seq: committed } = await bob.client.ask('commit', upload)
    const entry = { seq: committed, message: upload.message }
    expect(await alice.report(entry, 'failed')).toMatchObject({ outcome: 'collecting' })
    expect(await carol.report(entry, 'failed')).toMatchObject({ outcome: 'voided' })
    const undone = await server.keyserver.administration.meeting('standup')
    expect(undone).toMatchObject({ epoch: alice.epoch, head: committed + 1 })
    alice.seen = committed + 1
    expect(await sendOffer(carol, (await offerOf(carol)).encoded)).toMatchObject({ missing: [] })
    await alice.commit()
    expect(alice.group.public.reInit).toBeDefined()
  })
})

describe('an offer', () => {
  test('is for a ReInit of the epoch, by a connection that speaks for a leaf', async () => {
    const { encoded } = await offerOf(bob)
    expect(await sendOffer(bob, encoded)).toMatchObject(refused('reinit-unknown'))
    await proposeReInit(alice)
    const dave = await TestMember.arrive(server, 'dave')
    const request = { groupId: bob.groupId, keyPackage: encoded }
    expect(await dave.client.request('offer', request)).toMatchObject(refused('presence-invalid'))
    expect(await sendOffer(bob, encoded)).toEqual({ ok: true, missing: [0, 2] })
    expect(await sendOffer(bob, encoded)).toEqual({ ok: true, missing: [0, 2] })
    for (const missing of [
      [0, 1, 2],
      [0, 2],
    ]) {
      const notice = { groupId: bob.groupId, missing }
      await eventually(`offers but of ${missing}`, () => {
        clock.advance(50)
        return carol.client.notices.offered.some((told) => `${told.missing}` === `${missing}`)
      })
      expect(carol.client.notices.offered).toContainEqual(notice)
    }
  })

  test('is of the proposed suite, the same person and device, with fresh keys, for long enough', async () => {
    await proposeReInit(alice)
    const invalid = (detail: string) => refused('key-package-invalid', detail)
    const now = BigInt(Math.floor(clock.now() / 1000))
    const offers = async (of: TestMember, changes: Parameters<typeof offerOf>[1] = {}) =>
      sendOffer(bob, (await offerOf(of, changes)).encoded)

    expect(await sendOffer(bob, new Uint8Array(9))).toMatchObject(refused('key-package-invalid'))
    expect(await offers(bob, { cipherSuite: 1 })).toMatchObject(invalid('offer-of-another-suite'))
    expect(await offers(carol)).toMatchObject(invalid('offer-of-another-device'))
    const others = await TestMember.arrive(server, 'bob')
    expect(await offers(others)).toMatchObject(invalid('offer-of-another-device'))
    const elsewhere = await TestMember.arrive(server, 'bob', 'retro')
    expect(await offers(elsewhere)).toMatchObject(invalid('member-extension-invalid'))
    const brief = { notBefore: now - 60n, notAfter: now + 60n }
    expect(await offers(bob, { lifetime: brief })).toMatchObject(invalid('offer-expires-too-soon'))
    const past = { notBefore: now - 900n, notAfter: now - 700n }
    expect(await offers(bob, { lifetime: past })).toMatchObject(invalid('leaf-lifetime-expired'))
    const long = { notBefore: now - 60n, notAfter: now + 86_400n }
    expect(await offers(bob, { lifetime: long })).toMatchObject(
      invalid('key-package-lifetime-too-long'),
    )
    const own = await carol.leafIn(nextSuite)
    expect(await sendOffer(carol, (await offerOf(carol, { own })).encoded)).toMatchObject({
      missing: [0, 1],
    })
    expect(await offers(bob)).toEqual({ ok: true, missing: [0] })
  })

  test('has no signature key of this group, and none that another has offered', async () => {
    await proposeReInit(alice)
    const reused = refused('key-package-invalid', 'offer-reuses-key')
    const offerWith = async (signer: Signer) => {
      const own = await bob.leafIn(nextSuite, signer)
      return sendOffer(bob, (await offerOf(bob, { own })).encoded)
    }
    for (const { signer } of members) expect(await offerWith(signer)).toMatchObject(reused)
    const own = await carol.leafIn(nextSuite)
    await sendOffer(carol, (await offerOf(carol, { own })).encoded)
    expect(await offerWith(own.signer)).toMatchObject(reused)
    // Once carol has another one, hers is nobody's.
    await sendOffer(carol, (await offerOf(carol)).encoded)
    expect(await offerWith(own.signer)).toEqual({ ok: true, missing: [0] })
  })

  test('stays once the ReInit has been committed', async () => {
    await freeze(members)
    const { encoded } = await offerOf(carol)
    expect(await sendOffer(carol, encoded)).toMatchObject(
      refused('key-package-invalid', 'offer-final'),
    )
  })

  test('is shown only then, and to members', async () => {
    const { groupId } = alice
    const offers = (by: TestMember) => by.client.request('offers', { groupId })
    await proposeReInit(alice)
    await allOffer(members)
    expect(await offers(alice)).toMatchObject(refused('reinit-unknown'))
    await Promise.all(members.map((member) => member.resume()))
    await bob.commit()
    const dave = await TestMember.arrive(server, 'dave')
    expect(await offers(dave)).toMatchObject(refused('presence-invalid'))
    const reply = await offers(carol)
    if (!reply.ok) throw new Error(reply.code)
    const names = reply.keyPackages.map((each) => keyPackageOf(each).leafNode.credential)
    expect(names).toEqual(
      alice.group.public.tree.members().map(({ leafNode }) => leafNode.credential),
    )
  })
})
