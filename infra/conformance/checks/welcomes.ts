import { decode, toHex, utf8 } from '@conclave/core/codec'
import { MlsMessage, RatchetTree, WireFormat } from '@conclave/core/wire'
import { type Check, has, same } from '../check.ts'

export const welcomes: readonly Check[] = [
  {
    id: 'welcome.joins',
    promise: 'several who wait are added by one commit, and share its epoch',
    section: 'Notices',
    run: async (site) => {
      const alice = await site.found('alice')
      const people = await Promise.all(['bob', 'carol', 'dave'].map((name) => site.arrive(name)))
      const bundles = await Promise.all(people.map((person) => person.wait()))
      await alice.admit(people.length)
      for (const [i, person] of people.entries()) {
        await person.join(bundles[i] as (typeof bundles)[0])
        await person.take()
        same('the epoch secret', person.group.epochAuthenticator, alice.group.epochAuthenticator)
      }
      const { waiting } = await alice.resume()
      same('those who still wait', waiting.length, 0)
    },
  },
  {
    id: 'welcome.own',
    promise: 'a joiner gets the part of a Welcome that is its own, and nobody else’s',
    section: 'Notices',
    run: async (site) => {
      const alice = await site.found('alice')
      const people = await Promise.all(['bob', 'carol'].map((name) => site.arrive(name)))
      const bundles = await Promise.all(people.map((person) => person.wait()))
      const seq = await alice.admit(people.length)
      const { groupId } = alice
      for (const [i, { client }] of people.entries()) {
        const { ref } = bundles[i] as (typeof bundles)[0]
        const notice = await client.notice('welcome')
        has('the notice', notice, { groupId, ref, seq })
        const message = decode(MlsMessage, notice.welcome)
        const secrets = message.wireFormat === WireFormat.welcome ? message.welcome.secrets : []
        same(
          'EncryptedGroupSecrets for',
          secrets.map(({ newMember }) => toHex(newMember)),
          [toHex(ref)],
        )
        same('Welcomes', client.notices.welcome.length, 1)
      }
      same('Welcomes to a member', alice.client.notices.welcome.length, 0)
    },
  },
  {
    id: 'tree.present',
    promise: 'the present epoch’s tree is served by its hash, and no other is',
    section: 'Requests',
    run: async (site) => {
      const [alice] = await site.pair()
      await alice.commit()
      const { groupId, treeHash } = alice.group.groupContext
      const { ratchetTree } = await alice.client.ask('tree', { groupId, treeHash })
      same('the tree', decode(RatchetTree, ratchetTree), alice.group.ratchetTree)
      const unknown = { groupId, treeHash: utf8('no tree has this hash') }
      const reply = await alice.client.request('tree', unknown)
      has('an unknown hash', reply, { ok: false, code: 'tree-unknown' })
    },
  },
  {
    id: 'tree.kept',
    promise:
      'while a Welcome waits, the tree of its epoch is served, however far the group has gone',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      const bob = await site.arrive('bob')
      const bundle = await bob.wait()
      await alice.admit(1)
      await alice.commit()
      await alice.commit()
      await bob.join(bundle)
      same('the epoch joined', bob.epoch, 1)
      await bob.take()
      same('the epoch secret', bob.group.epochAuthenticator, alice.group.epochAuthenticator)
    },
  },
]
