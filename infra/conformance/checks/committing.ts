import { decode, encode, equalBytes, utf8 } from '@conclave/core/codec'
import { MlsMessage, WireFormat } from '@conclave/core/wire'
import {
  commitIn,
  publicMessageOf,
  type TestMember,
  type Upload,
} from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, NotConforming, same } from '../check.ts'

const commitOf = (member: TestMember, upload: Upload) => member.client.request('commit', upload)

/** Refused with this rule, and the log and its followers are where they were. */
async function refused(
  what: string,
  detail: string | undefined,
  [alice, bob]: readonly [TestMember, TestMember],
  upload: Upload,
): Promise<void> {
  const rule = detail === undefined ? {} : { detail }
  const reply = await commitOf(alice, upload)
  has(what, reply, { ok: false, code: 'message-invalid', ...rule })
  // On this connection: what the others were told comes before the answer.
  const { head } = await bob.client.ask('resume', { groupId: bob.groupId, after: bob.seen })
  same(`the head after ${what}`, head, bob.seen)
  const strays = bob.client.notices.entry.filter(({ entry }) =>
    equalBytes(entry.message, upload.message),
  )
  if (strays.length > 0) throw new NotConforming(`notices of ${what}`, 'none', strays)
}

export const committing: readonly Check[] = [
  {
    id: 'commit.race',
    promise:
      'of commits that race from several connections exactly one ends the epoch, and all members agree',
    section: 'Order',
    run: async (site) => {
      const members = await site.trio()
      for (let round = 0; round < 5; round++) {
        const commits = await Promise.all(members.map((member) => member.prepareCommit()))
        const replies = await Promise.all(
          members.map((member, i) => commitOf(member, (commits[i] as (typeof commits)[0]).upload)),
        )
        const outcomes = replies.map((reply) => (reply.ok ? 'won' : reply.code)).sort()
        same('outcomes', outcomes, ['epoch-mismatch', 'epoch-mismatch', 'won'])
        for (const [i, member] of members.entries()) {
          const { pending } = commits[i] as (typeof commits)[0]
          const reply = replies[i] as (typeof replies)[0]
          if (reply.ok) member.confirm(pending, reply.seq)
          else await member.receive(reply.missed ?? [])
        }
        const secrets = members.map(({ group }) => group.epochAuthenticator)
        for (const secret of secrets) same('the epoch secret', secret, secrets[0])
      }
    },
  },
  {
    id: 'commit.missed',
    promise: 'a commit that lost is answered with the entries that its sender has missed',
    section: 'Refusals',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const after = bob.seen
      const { upload } = await bob.prepareCommit()
      const first = await alice.prepareCommit()
      alice.confirm(first.pending, (await alice.client.ask('commit', first.upload)).seq)
      const second = await alice.prepareCommit()
      alice.confirm(second.pending, (await alice.client.ask('commit', second.upload)).seq)
      has('the loser', await commitOf(bob, upload), {
        ok: false,
        code: 'epoch-mismatch',
        missed: [
          { seq: after + 1, message: first.upload.message },
          { seq: after + 2, message: second.upload.message },
        ],
      })
    },
  },
  {
    id: 'commit.again',
    promise: 'a commit that is sent again, at once or epochs later, is answered as the first time',
    section: 'Requests',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { pending, upload } = await alice.prepareCommit()
      const [first, again] = await Promise.all([commitOf(alice, upload), commitOf(alice, upload)])
      if (!first.ok) throw new NotConforming('the commit', 'ok', first)
      same('the second answer', again, first)
      alice.confirm(pending, first.seq)
      await bob.receiveUpTo(first.seq)
      await bob.commit()
      same('the third answer', await commitOf(alice, upload), first)
      const { groupId } = alice
      const { head } = await alice.client.ask('resume', { groupId, after: 0 })
      same('the head', head, first.seq + 1)
    },
  },
  {
    id: 'commit.stale',
    promise: 'a commit for an epoch that is over is refused, and the log does not move',
    section: 'Order',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = alice
      const stale = await bob.prepareCommit()
      await alice.commit()
      const seq = await alice.commit()
      has('the commit', await commitOf(bob, stale.upload), { ok: false, code: 'epoch-mismatch' })
      same('the head', (await alice.client.ask('resume', { groupId, after: 0 })).head, seq)
    },
  },
  {
    id: 'commit.early',
    promise: 'a commit for an epoch that is not there yet is refused, with nothing missed',
    section: 'Refusals',
    run: async (site) => {
      const alice = await site.found('alice')
      const { pending } = await alice.prepareCommit()
      alice.confirm(pending, alice.seen)
      const { upload } = await alice.prepareCommit()
      const lost = { ok: false, code: 'epoch-mismatch', missed: [] }
      has('the commit', await commitOf(alice, upload), lost)
    },
  },
  {
    id: 'commit.durable',
    promise: 'acknowledgements say whether what they acknowledge survives a crash',
    section: 'Order',
    needs: 'durable',
    run: async (site) => {
      const { durable } = site.target
      const alice = await site.arrive('alice')
      const founding = await alice.prepareFounding()
      has('create', await alice.client.ask('create', founding), { durable })
      await alice.take()
      const { groupId } = alice
      const message = await alice.group.proposeUpdate()
      has('propose', await alice.client.ask('propose', { groupId, message }), { durable })
      await alice.resume()
      has('commit', await commitOf(alice, (await alice.prepareCommit()).upload), { durable })
    },
  },
  {
    id: 'propose.again',
    promise:
      'a proposal is ordered once, however often it is sent and with whatever membership tag',
    section: 'Requests',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = bob
      const message = await bob.group.proposeUpdate()
      const first = await bob.client.request('propose', { groupId, message })
      has('the proposal', first, { ok: true, seq: bob.seen + 1 })
      same('sent again', await bob.client.request('propose', { groupId, message }), first)
      // The tag is the last thing in the message, and only members can check it.
      const retagged = message.map((byte, at) => (at === message.length - 1 ? byte ^ 1 : byte))
      const again = await bob.client.request('propose', { groupId, message: retagged })
      same('with another tag', again, first)
      same('the head', (await alice.resume()).head, bob.seen + 1)
    },
  },
  {
    id: 'propose.epoch',
    promise: 'a proposal of an epoch that is over, or not there yet, is refused',
    section: 'Refusals',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = bob
      const refusal = { ok: false, code: 'epoch-mismatch' }
      const late = await bob.group.proposeUpdate()
      const seq = await alice.commit()
      has('too late', await bob.client.request('propose', { groupId, message: late }), refusal)
      await bob.receiveUpTo(seq)
      bob.confirm((await bob.prepareCommit()).pending, bob.seen)
      const message = await bob.group.proposeUpdate()
      has('too early', await bob.client.request('propose', { groupId, message }), refusal)
      same('the head', (await alice.resume()).head, seq)
    },
  },
  {
    id: 'propose.authority',
    promise: 'a removal that its proposer has no authority for is refused',
    section: 'What is checked',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = bob
      const message = await bob.group.propose({ proposalType: 3, removed: alice.leafIndex })
      has('the proposal', await bob.client.request('propose', { groupId, message }), {
        ok: false,
        code: 'message-invalid',
        detail: 'proposal-not-authorised',
      })
      same('the head', (await alice.resume()).head, alice.seen)
    },
  },
  {
    id: 'commit.checked',
    promise: 'a commit that cannot be valid is refused before anyone sees it',
    section: 'What is checked',
    run: async (site) => {
      const members = await site.pair()
      const [alice, bob] = members
      const { upload } = await alice.prepareCommit()
      const { publicMessage, content } = commitIn(upload.message)
      const changed = (change: Partial<typeof content>): Upload => ({
        ...upload,
        message: publicMessageOf({ ...publicMessage, content: { ...content, ...change } }),
      })
      await refused('no MLSMessage', undefined, members, { ...upload, message: utf8('a commit') })
      const proposal = await alice.group.proposeUpdate()
      await refused('a proposal', 'message-kind-unexpected', members, {
        ...upload,
        message: proposal,
      })
      const unsigned = changed({ authenticatedData: alice.envelope(0) })
      await refused('a wrong signature', 'message-signature-invalid', members, unsigned)
      const impostor = changed({ sender: { senderType: 1, leafIndex: bob.leafIndex } })
      await refused('another’s name', 'message-signature-invalid', members, impostor)
      const pathless = await alice.forge(upload, (commit) => ({
        ...commit,
        commit: { ...commit.commit, path: undefined },
      }))
      await refused('no path', 'commit-path-missing', members, pathless)
      const removal = await alice.forge(upload, (commit) => ({
        ...commit,
        commit: {
          ...commit.commit,
          proposals: [{ type: 1, proposal: { proposalType: 3, removed: bob.leafIndex } }],
        },
      }))
      await refused('a removal without authority', 'proposal-not-authorised', members, removal)
    },
  },
  {
    id: 'commit.envelope',
    promise: 'a commit says what its sender has seen of the log, and not more than there is',
    section: 'What is checked',
    run: async (site) => {
      const members = await site.pair()
      const [alice] = members
      const wordless = await alice.prepareCommit([], utf8('everything'))
      await refused('no CommitEnvelope', 'commit-envelope-invalid', members, wordless.upload)
      const ahead = await alice.prepareCommit([], alice.envelope(alice.seen + 1))
      await refused('the future', 'commit-envelope-invalid', members, ahead.upload)
    },
  },
  {
    id: 'commit.uploads',
    promise:
      'a commit comes with its epoch’s GroupInfo, and a Welcome for exactly those whom it adds',
    section: 'What is checked',
    run: async (site) => {
      const members = await site.pair()
      const [alice, bob] = members
      const [one, other] = [await alice.prepareCommit(), await alice.prepareCommit()]
      const { groupInfo } = other.upload
      const foreign = { ...one.upload, groupInfo }
      await refused('another GroupInfo', 'group-info-context-mismatch', members, foreign)
      const message = decode(MlsMessage, one.upload.groupInfo)
      if (message.wireFormat !== WireFormat.groupInfo) throw new Error('not a GroupInfo')
      const signer = bob.leafIndex
      const forged = encode(MlsMessage, { ...message, groupInfo: { ...message.groupInfo, signer } })
      const unsigned = { ...one.upload, groupInfo: forged }
      await refused('a forged GroupInfo', 'group-info-signature-invalid', members, unsigned)

      const carol = await site.arrive('carol')
      const bundles = [await carol.keyPackage(), await carol.keyPackage()]
      const [first, second] = await Promise.all(
        bundles.map(({ bundle: { keyPackage } }) =>
          alice.prepareCommit([{ proposalType: 1, keyPackage }]),
        ),
      )
      if (first === undefined || second === undefined) throw new Error('two commits')
      const alone = { ...first.upload, welcome: null }
      await refused('no Welcome', 'welcome-incomplete', members, alone)
      const { welcome } = second.upload
      const wrong = { ...first.upload, welcome }
      await refused('another’s Welcome', 'welcome-incomplete', members, wrong)
    },
  },
  {
    id: 'commit.rate',
    promise: 'a leaf commits at most 40 times in ten seconds',
    section: 'What is checked',
    run: async (site) => {
      const alice = await site.found('alice')
      for (let commit = 0; commit < 40; commit++) await alice.commit()
      const { upload } = await alice.prepareCommit()
      const refusal = { ok: false, code: 'rate-limited', detail: 'commit-too-often' }
      has('one more', await commitOf(alice, upload), refusal)
      same('the head', (await alice.resume()).head, 40)
    },
  },
]
