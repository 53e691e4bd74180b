import { decode, encode, utf8 } from '@conclave/core/codec'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import { MlsMessage, WireFormat } from '@conclave/core/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { eventually } from '../support/eventually.ts'
import { add, keyPackageOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

const minute = 60_000

describe('joining', () => {
  let clock: VirtualClock
  let server: TestServer
  let alice: TestMember

  beforeEach(async () => {
    clock = new VirtualClock()
    server = await TestServer.start({ clock, limits: { waitingJoiners: 3 } })
    alice = await TestMember.found(server, 'alice')
  })

  /** Somebody on the waiting list, and what the group has been told of it. */
  const waiting = async (identity: string, place = 1) => {
    const member = await TestMember.arrive(server, identity)
    const bundle = await member.wait()
    clock.advance(100)
    await alice.client.notice('waiting', ({ joiners }) => joiners.length === place)
    return { member, bundle }
  }
  const keyPackageRefusal = async (encoded: Uint8Array<ArrayBuffer>) => {
    const bob = await TestMember.arrive(server, 'bob')
    const { groupId } = bob.summary
    const refusal = { ok: false, code: 'key-package-invalid' }
    const reply = await bob.client.request('wait', { groupId, keyPackage: encoded })
    expect(reply).toMatchObject(refusal)
    return reply.ok ? undefined : reply.detail
  }

  test('two who wait are added by one commit and share its epoch', async () => {
    const bob = await waiting('bob')
    const carol = await waiting('carol', 2)
    await alice.admit(2)
    for (const { member, bundle } of [bob, carol]) {
      await member.join(bundle)
      await member.take()
      expect(member.epoch).toBe(1)
      expect(member.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
    }
    const seq = await bob.member.commit()
    await Promise.all([alice.receiveUpTo(seq), carol.member.receiveUpTo(seq)])
    expect(carol.member.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
  })

  test('a crowd that waits is announced in one packet and added by one commit', async () => {
    const crowded = await TestServer.start()
    const founder = await TestMember.found(crowded, 'founder')
    const crowd = await Promise.all(
      Array.from({ length: 40 }, (_, i) => TestMember.arrive(crowded, `guest ${i}`)),
    )
    const bundles = await Promise.all(crowd.map((guest) => guest.wait()))
    await founder.client.notice('waiting', ({ joiners }) => joiners.length === 40)
    await founder.admit(40)
    await Promise.all(crowd.map((guest, i) => guest.join(bundles[i] as (typeof bundles)[0])))
    for (const guest of crowd) {
      expect(guest.group.epochAuthenticator).toEqual(founder.group.epochAuthenticator)
    }
  })

  test('the KeyPackage of whoever waits is verified as it comes, and not again in the commit', async () => {
    let verified = 0
    const counting: PublicCrypto = {
      publicSuite: (id) => {
        const suite = nodePublicCrypto().publicSuite(id)
        return (
          suite && {
            ...suite,
            verify: (...signed) => {
              verified += 1
              return suite.verify(...signed)
            },
            verifyAll: (signed) => {
              verified += signed.length
              return suite.verifyAll(signed)
            },
          }
        )
      },
    }
    const counted = await TestServer.start({ crypto: counting })
    const founder = await TestMember.found(counted, 'founder')
    const arrive = async (count: number) => {
      const guests = Array.from({ length: count }, async (_, i) => {
        const guest = await TestMember.arrive(counted, `guest ${count} ${i}`)
        await guest.wait()
      })
      await Promise.all(guests)
      await founder.client.notice('waiting', ({ joiners }) => joiners.length === count)
    }
    await arrive(1)
    const before = verified
    await founder.admit(1)
    const alone = verified - before
    await arrive(5)
    const waiting = verified
    await founder.admit(5)
    expect(verified - waiting).toBe(alone)
  })

  test('a joiner gets its own part of the Welcome and nobody else’s', async () => {
    const bob = await waiting('bob')
    await waiting('carol', 2)
    await alice.admit(2)
    const notice = await bob.member.client.notice('welcome')
    const message = decode(MlsMessage, notice.welcome)
    if (message.wireFormat !== WireFormat.welcome) throw new Error('not a Welcome')
    expect(message.welcome.secrets.map(({ newMember }) => newMember)).toEqual([bob.bundle.ref])
    expect(notice).toMatchObject({ seq: 1, ref: bob.bundle.ref, groupId: alice.groupId })
  })

  test('who is not added goes on waiting in the next epoch', async () => {
    const { bundle } = await waiting('bob')
    await alice.commit()
    const { waiting: list } = await alice.resume()
    expect(list.map(({ ref }) => ref)).toEqual([bundle.ref])
  })

  test('a joiner that reconnects with the same KeyPackage gets the Welcome it missed', async () => {
    const first = await TestMember.arrive(server, 'bob')
    const { bundle, encoded } = await first.keyPackage()
    const { groupId } = first.summary
    await first.client.ask('wait', { groupId, keyPackage: encoded })
    await alice.admit(1)
    first.client.disconnect()

    const again = await TestMember.arrive(server, 'bob')
    await again.client.ask('wait', { groupId, keyPackage: encoded })
    await again.join(bundle)
    expect(again.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
  })

  test('a KeyPackage is used once, by its joiner and by committers', async () => {
    const bob = await TestMember.arrive(server, 'bob')
    const { bundle, encoded } = await bob.keyPackage()
    const { groupId } = bob.summary
    await bob.client.ask('wait', { groupId, keyPackage: encoded })
    await alice.admit(1)
    await bob.join(bundle)
    await bob.take()
    expect(await bob.client.request('wait', { groupId, keyPackage: encoded })).toMatchObject({
      code: 'key-package-invalid',
      detail: 'key-package-used',
    })

    const removal = await bob.leaveGroup()
    await alice.receiveUpTo(removal)
    await alice.commit()
    const { upload } = await alice.prepareCommit([add(bundle.keyPackage)])
    expect(await alice.client.request('commit', upload)).toMatchObject({
      code: 'message-invalid',
      detail: 'key-package-used',
    })
  })

  test('who disconnects waits no longer', async () => {
    const { member } = await waiting('bob')
    await waiting('carol', 2)
    member.client.disconnect()
    await eventually('the shorter list', async () => {
      clock.advance(100)
      return alice.client.notices.waiting.at(-1)?.joiners.length === 1
    })
  })

  test('each KeyPackage that waits is sent once to those who follow the log', async () => {
    const bob = await waiting('bob')
    const carol = await waiting('carol', 2)
    const sizes = alice.client.notices.waiting.map(({ joiners }) =>
      joiners.map(({ keyPackage }) => keyPackage.length > 0),
    )
    expect(sizes).toEqual([[true], [false, true]])
    const { waiting: list } = await alice.resume()
    expect(list.map(({ ref }) => ref)).toEqual([bob.bundle.ref, carol.bundle.ref])
    expect(list.every(({ keyPackage }) => keyPackage.length > 0)).toBe(true)
  })

  test('every notice has all that wait for a client of an earlier minor version', async () => {
    const earlier = await server.connect('eve', 'standup')
    await earlier.send('enter', { protocol: 1, meetingId: 'standup', minor: 3 })
    await earlier.ask('resume', { groupId: alice.groupId, after: alice.seen })
    await waiting('bob')
    await waiting('carol', 2)
    const { joiners } = await earlier.notice('waiting', (notice) => notice.joiners.length === 2)
    const { waiting: list } = await alice.resume()
    expect(joiners).toEqual(list)
    expect(earlier.notices.waiting).toHaveLength(2)
  })

  test('a connection waits with its newest KeyPackage alone', async () => {
    const { member } = await waiting('bob')
    const newer = await member.wait()
    const { waiting: list } = await alice.resume()
    expect(list.map(({ ref }) => ref)).toEqual([newer.ref])
  })

  test('who has waited for five minutes is dropped, and the group is told', async () => {
    await waiting('bob')
    clock.advance(5 * minute)
    await alice.client.notice('waiting', ({ joiners }) => joiners.length === 0)
    expect(await alice.resume()).toMatchObject({ waiting: [] })
  })

  test('a full waiting list takes nobody else', async () => {
    await waiting('bob')
    await waiting('carol', 2)
    await waiting('dave', 3)
    const erin = await TestMember.arrive(server, 'erin')
    const { encoded } = await erin.keyPackage()
    const request = { groupId: erin.summary.groupId, keyPackage: encoded }
    expect(await erin.client.request('wait', request)).toMatchObject({ code: 'waiting-list-full' })
  })

  test('the tree of a Welcome is served by its hash, another is unknown', async () => {
    const { member, bundle } = await waiting('bob')
    await alice.admit(1)
    await alice.commit()
    clock.advance(4 * minute)
    await member.join(bundle)
    expect(member.epoch).toBe(1)
    const { groupId } = alice
    const request = { groupId, treeHash: utf8('no tree has this hash') }
    expect(await alice.client.request('tree', request)).toMatchObject({ code: 'tree-unknown' })
  })

  test('the tree of the present epoch is served', async () => {
    await alice.commit()
    const { groupId, treeHash } = alice.group.groupContext
    const { ratchetTree } = await alice.client.ask('tree', { groupId, treeHash })
    expect(ratchetTree.length).toBeGreaterThan(100)
  })

  describe('with a bad KeyPackage', () => {
    const now = () => BigInt(Math.floor(clock.now() / 1000))
    const madeBy = async (meetingId = 'standup') =>
      (await TestMember.arrive(server, 'mallory', meetingId)).keyPackage()

    test('that is no MLSMessage', async () => {
      expect(await keyPackageRefusal(utf8('key package'))).toBe('codec-unknown-case')
    })

    test('that is another kind of message', async () => {
      expect(await keyPackageRefusal(await alice.group.groupInfo())).toBe('message-kind-unexpected')
    })

    test('whose leaf is certified for another meeting', async () => {
      const { encoded } = await madeBy('retro')
      expect(await keyPackageRefusal(encoded)).toBe('member-extension-invalid')
    })

    test('whose signature is wrong', async () => {
      const { encoded } = await madeBy()
      const keyPackage = keyPackageOf(encoded)
      const forged = { ...keyPackage, initKey: keyPackage.initKey.map((byte) => byte ^ 1) }
      const { keyPackage: wireFormat } = WireFormat
      const message = encode(MlsMessage, { version: 1, wireFormat, keyPackage: forged })
      const refusal = await keyPackageRefusal(message)
      expect(refusal).toBe('key-package-signature-invalid')
    })

    test('that has expired', async () => {
      const mallory = await TestMember.arrive(server, 'mallory')
      const { encoded } = await mallory.keyPackage({
        notBefore: now() - 1200n,
        notAfter: now() - 900n,
      })
      expect(await keyPackageRefusal(encoded)).toBe('leaf-lifetime-expired')
    })

    test('that is valid for longer than anybody waits', async () => {
      const mallory = await TestMember.arrive(server, 'mallory')
      const { encoded } = await mallory.keyPackage({ notBefore: now(), notAfter: now() + 86_400n })
      expect(await keyPackageRefusal(encoded)).toBe('key-package-lifetime-too-long')
    })
  })
})
