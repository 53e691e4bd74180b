import { type Bytes, toHex } from '@conclave/core/codec'
import { packKeyPackages } from '@conclave/core/delivery'
import { add, keyPackageOf, type TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, same } from '../check.ts'

const section = 'KeyPackage directory (1.1)'

type Published = Awaited<ReturnType<TestMember['publishable']>>

/** KeyPackages of one device, the first to be handed out first. */
async function publish(
  member: TestMember,
  count: number,
  lastResort: Bytes | null = null,
): Promise<readonly [Published, ...Published[]]> {
  const made = await Promise.all([...Array(count).keys()].map(() => member.publishable()))
  const keyPackages = packKeyPackages(made.map(({ encoded }) => encoded))
  const reply = await member.client.request('publish', { keyPackages, lastResort })
  same('the stock', reply, { ok: true, remaining: count, lastResort: lastResort !== null })
  return made as [Published, ...Published[]]
}

export const directory: readonly Check[] = [
  {
    id: 'directory.once',
    promise: 'a KeyPackage that is claimed is handed to nobody else',
    section,
    needs: 'secret',
    run: async (site) => {
      const bob = await site.arrive('bob')
      const published = await publish(bob, 5)
      const claimers = await Promise.all(['alice', 'carol'].map((name) => site.inviter(name)))
      const { identity } = bob
      const claims = await Promise.all(
        [...claimers, ...claimers, ...claimers].map((client) => client.ask('claim', { identity })),
      )
      const claimed = claims.flatMap(({ keyPackages }) => keyPackages.map(toHex))
      const expected = published.map(({ encoded }) => toHex(encoded))
      same('what was handed out', [...claimed].sort(), expected.sort())
      const deviceKey = await bob.deviceKey()
      const left = { ok: true, remaining: 0, lastResort: false }
      same('what is left', await bob.client.request('stock', { deviceKey }), left)
    },
  },
  {
    id: 'directory.last-resort',
    promise: 'when no other is left, the last resort is handed out, as often as it is needed',
    section,
    needs: 'secret',
    run: async (site) => {
      const bob = await site.arrive('bob')
      const { identity } = bob
      const { encoded: lastResort } = await bob.publishable({ lastResort: true })
      const [{ encoded }] = await publish(bob, 1, lastResort)
      const alice = await site.inviter('alice')
      const claimed: string[] = []
      for (let claim = 0; claim < 3; claim++) {
        const reply = await alice.ask('claim', { identity })
        claimed.push(...reply.keyPackages.map(toHex))
      }
      same('what was handed out', claimed, [encoded, lastResort, lastResort].map(toHex))
    },
  },
  {
    id: 'directory.low',
    promise:
      'whose KeyPackages are running out is told on every connection that uses the directory',
    section,
    needs: 'secret',
    run: async (site) => {
      const bob = await site.arrive('bob')
      const elsewhere = await site.connect(bob.identity)
      await publish(bob, 1)
      await elsewhere.ask('stock', { deviceKey: await bob.deviceKey() })
      await (await site.inviter('alice')).ask('claim', { identity: bob.identity })
      const low = { deviceKey: await bob.deviceKey(), remaining: 0, lastResort: false }
      for (const client of [bob.client, elsewhere]) {
        same('the notice', await client.notice('stockLow'), low)
      }
    },
  },
  {
    id: 'directory.checked',
    promise: 'what no committer could use, or is not the publisher’s own, is refused and not kept',
    section,
    needs: 'people',
    run: async (site) => {
      const bob = await site.arrive('bob')
      const carol = await site.arrive('carol')
      const { encoded: lastResort } = await bob.publishable({ lastResort: true })
      const { bundle, encoded } = await bob.publishable()
      const refusals: readonly [string, Uint8Array<ArrayBuffer>][] = [
        ['for one meeting alone', (await bob.keyPackage()).encoded],
        ['somebody else’s', (await carol.publishable()).encoded],
        ['a last resort among the others', lastResort],
        ['a truncated one', encoded.slice(0, -1)],
        [
          'with a wrong signature',
          bob.keyPackageOf({
            ...bundle,
            keyPackage: { ...bundle.keyPackage, initKey: new Uint8Array(32) },
          }),
        ],
      ]
      const refusal = { ok: false, code: 'key-package-invalid' }
      for (const [what, keyPackage] of refusals) {
        const keyPackages = packKeyPackages([keyPackage])
        const reply = await bob.client.request('publish', { keyPackages, lastResort: null })
        has(what, reply, refusal)
      }
      const none = { ok: true, remaining: 0, lastResort: false }
      const deviceKey = await bob.deviceKey()
      same('the stock', await bob.client.request('stock', { deviceKey }), none)
    },
  },
  {
    id: 'directory.grant',
    promise: 'only who may invite claims the KeyPackages of others',
    section,
    needs: 'people',
    run: async (site) => {
      const alice = await site.arrive('alice')
      const bob = await site.arrive('bob')
      await publish(bob, 1)
      const { identity } = bob
      const refusal = { ok: false, code: 'not-permitted' }
      has('the claim', await alice.client.request('claim', { identity }), refusal)
      const deviceKey = await bob.deviceKey()
      has('the stock', await bob.client.request('stock', { deviceKey }), { remaining: 1 })
    },
  },
  {
    id: 'directory.mailbox',
    promise: 'who was added while it was away finds its Welcome, and nobody else does',
    section,
    needs: 'secret',
    run: async (site) => {
      const alice = await site.found('alice')
      const bob = await site.arrive('bob')
      const [{ bundle }] = await publish(bob, 1)
      bob.client.disconnect()
      const { identity } = bob
      const claimed = await (await site.inviter('alice')).ask('claim', { identity })
      const seq = await alice.commit(claimed.keyPackages.map((one) => add(keyPackageOf(one))))
      bob.client = await site.entered('bob')
      const deviceKey = await bob.deviceKey()
      const { mail } = await bob.client.ask('mailbox', { deviceKey })
      const { groupId, meetingId } = alice
      const { ref } = bundle
      same('the mail', mail.length, 1)
      has('the mail', mail[0], { meetingId, groupId, ref, seq })
      const others = await alice.client.ask('mailbox', { deviceKey })
      same('what somebody else finds', others.mail, [])
      await bob.join(bundle, mail[0])
      same('the epoch secret', bob.group.epochAuthenticator, alice.group.epochAuthenticator)
      await bob.client.ask('collect', { deviceKey, groupId, ref })
      same('the mail afterwards', (await bob.client.ask('mailbox', { deviceKey })).mail, [])
    },
  },
  {
    id: 'directory.mail',
    promise: 'for whom a Welcome has come is told on every connection that uses the directory',
    section,
    needs: 'secret',
    run: async (site) => {
      const alice = await site.found('alice')
      const bob = await site.arrive('bob')
      const deviceKey = await bob.deviceKey()
      const elsewhere = await site.connect(bob.identity)
      await publish(bob, 1)
      await elsewhere.ask('stock', { deviceKey })
      const { identity } = bob
      const claimed = await (await site.inviter('alice')).ask('claim', { identity })
      await alice.commit(claimed.keyPackages.map((one) => add(keyPackageOf(one))))
      for (const client of [bob.client, elsewhere]) {
        same('the notice', await client.notice('mail'), { deviceKey })
        same('the mail', (await client.ask('mailbox', { deviceKey })).mail.length, 1)
      }
    },
  },
]
