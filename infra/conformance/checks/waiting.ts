import { encode, equalBytes, toHex, utf8 } from '@conclave/core/codec'
import { protocolVersion } from '@conclave/core/delivery'
import { MlsMessage, WireFormat } from '@conclave/core/wire'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import { add, keyPackageOf, type TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, holds, same } from '../check.ts'
import type { Site } from '../site.ts'

/** The refs on the waiting list, as a member is told when it asks. */
async function listed({ client, groupId, seen }: TestMember): Promise<readonly string[]> {
  const { waiting } = await client.ask('resume', { groupId, after: seen })
  return waiting.map(({ ref }) => toHex(ref))
}

/** A meeting's founder, and somebody who waits to be added by it. */
async function oneWaits(site: Site) {
  const alice = await site.found('alice')
  const bob = await site.arrive('bob')
  const { bundle, encoded } = await bob.keyPackage()
  const request = { groupId: alice.groupId, keyPackage: encoded }
  await bob.client.ask('wait', request)
  return { alice, bob, bundle, request }
}

const nowSeconds = () => BigInt(Math.floor(Date.now() / 1000))

export const waiting: readonly Check[] = [
  {
    id: 'wait.position',
    promise:
      'who waits is told its position from 0, and everybody is told who waits, longest first',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      const { groupId } = alice
      const refs: string[] = []
      for (const name of ['bob', 'carol', 'dave']) {
        const person = await site.arrive(name)
        const { bundle, encoded } = await person.keyPackage()
        const reply = await person.client.request('wait', { groupId, keyPackage: encoded })
        same(`the answer to ${name}`, reply, { ok: true, position: refs.length })
        refs.push(toHex(bundle.ref))
        const again = await person.client.request('wait', { groupId, keyPackage: encoded })
        same('waiting twice with one KeyPackage', again, reply)
      }
      same('the list', await listed(alice), refs)
      const { joiners } = await alice.client.notice(
        'waiting',
        ({ joiners }) => joiners.length === 3,
      )
      same(
        'the notice',
        joiners.map(({ ref }) => toHex(ref)),
        refs,
      )
    },
  },
  {
    id: 'wait.named',
    promise:
      'whoever follows the log is told of each KeyPackage that waits, before 1.4 in every notice',
    section: 'Notices',
    run: async (site) => {
      const alice = await site.found('alice')
      const { groupId, seen } = alice
      const earlier = await site.connect(site.identity('earlier'))
      const { meetingId } = site
      await earlier.send('enter', { protocol: protocolVersion, minor: 3, meetingId })
      await earlier.ask('resume', { groupId, after: seen })
      const waiting: string[] = []
      for (const name of ['bob', 'carol']) {
        const person = await site.arrive(name)
        const { encoded } = await person.keyPackage()
        await person.client.ask('wait', { groupId, keyPackage: encoded })
        waiting.push(toHex(encoded))
        const all = ({ joiners }: { readonly joiners: readonly unknown[] }) =>
          joiners.length === waiting.length
        const { joiners } = await earlier.notice('waiting', all)
        same(
          'the notice to minor version 3',
          joiners.map(({ keyPackage }) => toHex(keyPackage)),
          waiting,
        )
        await alice.client.notice('waiting', all)
      }
      const named = alice.client.notices.waiting.flatMap(({ joiners }) =>
        joiners.flatMap(({ keyPackage }) => (keyPackage.length > 0 ? toHex(keyPackage) : [])),
      )
      same('all that was named', [...new Set(named)].toSorted(), waiting.toSorted())
    },
  },
  {
    id: 'wait.newest',
    promise: 'a connection waits with its newest KeyPackage alone',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      const bob = await site.arrive('bob')
      await bob.wait()
      const newer = await bob.wait()
      same('the list', await listed(alice), [toHex(newer.ref)])
    },
  },
  {
    id: 'wait.withdrawn',
    promise: 'whose connection ends waits no longer',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      const [bob, carol] = [await site.arrive('bob'), await site.arrive('carol')]
      await bob.wait()
      const { ref } = await carol.wait()
      bob.client.disconnect()
      const shorter = async () => (await listed(alice)).length === 1
      await eventually('a list without who has gone', shorter, site.patienceMs)
      same('the list', await listed(alice), [toHex(ref)])
    },
  },
  {
    id: 'wait.epochs',
    promise: 'the waiting list survives epochs',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      const { ref } = await (await site.arrive('bob')).wait()
      await alice.commit()
      await alice.commit()
      same('the list two epochs later', await listed(alice), [toHex(ref)])
    },
  },
  {
    id: 'wait.lifetime',
    promise: 'a KeyPackage that has expired, or is valid for more than 25 minutes, is refused',
    section: 'What is checked',
    run: async (site) => {
      const alice = await site.found('alice')
      const { groupId } = alice
      const bob = await site.arrive('bob')
      const waitWith = async (notBefore: bigint, notAfter: bigint) => {
        const { encoded } = await bob.keyPackage({ notBefore, notAfter })
        return await bob.client.request('wait', { groupId, keyPackage: encoded })
      }
      const now = nowSeconds()
      const refusal = { ok: false, code: 'key-package-invalid' }
      has('over for 15 minutes', await waitWith(now - 1200n, now - 900n), refusal)
      const long = await waitWith(now - 60n, now + 1441n)
      has('26 minutes', long, { ...refusal, detail: 'key-package-lifetime-too-long' })
      same('the list', await listed(alice), [])
      same('24 minutes', await waitWith(now - 60n, now + 1380n), { ok: true, position: 0 })
    },
  },
  {
    id: 'wait.checked',
    promise: 'a KeyPackage that no committer could add is refused, and waits nowhere',
    section: 'What is checked',
    run: async (site) => {
      const alice = await site.found('alice')
      const { groupId } = alice
      const bob = await site.arrive('bob')
      const refused = async (what: string, keyPackage: Uint8Array<ArrayBuffer>) => {
        const reply = await bob.client.request('wait', { groupId, keyPackage })
        has(what, reply, { ok: false, code: 'key-package-invalid' })
      }
      await refused('no MLSMessage', utf8('key package'))
      await refused('another kind of message', await alice.group.groupInfo())
      const { encoded } = await bob.keyPackage()
      const keyPackage = keyPackageOf(encoded)
      const forged = { ...keyPackage, initKey: keyPackage.initKey.map((byte) => byte ^ 1) }
      const { keyPackage: wireFormat } = WireFormat
      await refused(
        'a wrong signature',
        encode(MlsMessage, { version: 1, wireFormat, keyPackage: forged }),
      )
      const elsewhere = await site.arrive('bob', site.newMeeting())
      await refused('a leaf for another meeting', (await elsewhere.keyPackage()).encoded)
      same('the list', await listed(alice), [])
    },
  },
  {
    id: 'wait.used',
    promise: 'a KeyPackage is used once, by its joiner and by committers',
    section: 'Requests',
    run: async (site) => {
      const { alice, bob, bundle, request } = await oneWaits(site)
      await alice.admit(1)
      await bob.join(bundle)
      await bob.take()
      const again = await bob.client.request('wait', request)
      has('waiting with it again', again, {
        ok: false,
        code: 'key-package-invalid',
        detail: 'key-package-used',
      })
      await alice.receiveUpTo(await bob.leaveGroup())
      await alice.commit()
      const { upload } = await alice.prepareCommit([add(bundle.keyPackage)])
      has('adding it again', await alice.client.request('commit', upload), {
        ok: false,
        code: 'message-invalid',
        detail: 'key-package-used',
      })
    },
  },
  {
    id: 'wait.takeover',
    promise: 'who comes back with the KeyPackage that was added meanwhile gets its Welcome',
    section: 'Requests',
    run: async (site) => {
      const { alice, bob, bundle, request } = await oneWaits(site)
      await alice.admit(1)
      bob.client.disconnect()
      const again = await site.arrive('bob')
      const reply = await again.client.request('wait', request)
      same('the answer', reply, { ok: true, position: 0 })
      await again.join(bundle)
      same('the epoch secret', again.group.epochAuthenticator, alice.group.epochAuthenticator)
    },
  },
  {
    id: 'wait.reconnect',
    promise: 'who comes back with its KeyPackage waits on, also once its first connection ends',
    section: 'Requests',
    run: async (site) => {
      const { alice, bob, bundle, request } = await oneWaits(site)
      const again = await site.arrive('bob')
      await again.client.ask('wait', request)
      const first = bob.client
      first.disconnect()
      // Somebody else's KeyPackage, posted after the end was noticed, shows who is left.
      const carol = await site.arrive('carol')
      const { ref } = await carol.wait()
      carol.client.disconnect()
      const withoutCarol = async () => !(await listed(alice)).includes(toHex(ref))
      await eventually('a list without who has gone', withoutCarol, site.patienceMs)
      same('the list', await listed(alice), [toHex(bundle.ref)])
      await alice.admit(1)
      await again.join(bundle)
    },
  },
  {
    id: 'wait.full',
    promise: 'a full waiting list takes nobody else',
    section: 'Refusals',
    needs: 'people',
    run: async (site) => {
      const alice = await site.found('alice')
      const { groupId } = alice
      const { waitingJoiners } = site.target
      const crowd = 16
      for (let waits = 0; waits < waitingJoiners; waits += crowd) {
        const guests = Math.min(crowd, waitingJoiners - waits)
        const names = Array.from({ length: guests }, (_, i) => `guest ${waits + i}`)
        await Promise.all(names.map(async (name) => (await site.arrive(name)).wait()))
      }
      const late = await site.arrive('late')
      const { bundle, encoded } = await late.keyPackage()
      const reply = await late.client.request('wait', { groupId, keyPackage: encoded })
      has(`the ${waitingJoiners + 1}th`, reply, { ok: false, code: 'waiting-list-full' })
      const { waiting } = await alice.resume()
      same('those who wait', waiting.length, waitingJoiners)
      const absent = !waiting.some(({ ref }) => equalBytes(ref, bundle.ref))
      holds('the list', absent, 'without the one refused', bundle.ref)
    },
  },
]
