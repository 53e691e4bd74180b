import { readVoid } from '@conclave/core/delivery'
import type { TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, same } from '../check.ts'

const refusal = { ok: false, code: 'status-invalid' }

/** A commit that nobody else has taken in yet. */
async function unseenCommit(committer: TestMember) {
  const { pending, upload } = await committer.prepareCommit()
  const { seq } = await committer.client.ask('commit', upload)
  committer.confirm(pending, seq)
  return { seq, message: upload.message }
}

export const entryStatuses: readonly Check[] = [
  {
    id: 'status.lone',
    promise:
      'a lone false report changes nothing: all are asked, and one who could apply the commit settles it',
    section: 'Commits that cannot be applied (1.1)',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const { groupId } = alice
      const entry = await unseenCommit(alice)
      const { seq } = entry
      same('the false report', await bob.report(entry, 'failed'), {
        ok: true,
        outcome: 'collecting',
      })
      same('the question', await carol.client.notice('statusWanted'), { groupId, seq })
      await carol.receiveUpTo(seq)
      same('the other’s word', await carol.report(entry, 'applied'), {
        ok: true,
        outcome: 'stands',
      })
      same('the head', (await carol.resume()).head, seq)
      await alice.receiveUpTo(await carol.commit())
    },
  },
  {
    id: 'status.void',
    promise:
      'a commit that everyone connected but its committer has failed on is undone, by an entry with their words',
    section: 'Commits that cannot be applied (1.1)',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const { groupId, epoch } = bob
      const entry = await unseenCommit(alice)
      same('the first word', await bob.report(entry, 'failed'), { ok: true, outcome: 'collecting' })
      same('the last word', await carol.report(entry, 'failed'), { ok: true, outcome: 'voided' })
      const seq = entry.seq + 1
      const notice = await bob.client.notice('entry', (each) => each.entry.seq === seq)
      const undone = readVoid(notice.entry.message)
      same('the entry undone', undone?.seq, BigInt(entry.seq))
      const signers = undone?.statuses.map(({ leafIndex }) => leafIndex).sort()
      same('who says so', signers, [bob.leafIndex, carol.leafIndex])
      const dave = await site.arrive('dave')
      same('the group', dave.summary, { groupId, epoch, head: seq })
      bob.seen = seq
      carol.seen = seq
      await carol.receiveUpTo(await bob.commit())
      same('the epoch secret', bob.group.epochAuthenticator, carol.group.epochAuthenticator)
    },
  },
  {
    id: 'status.signed',
    promise: 'a word that its leaf did not sign, or on another entry than the last, is refused',
    section: 'Commits that cannot be applied (1.1)',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const { groupId } = alice
      const before = { seq: carol.seen, message: new Uint8Array(1) }
      const entry = await unseenCommit(alice)
      has('on an entry before', await bob.report(before, 'failed'), refusal)
      const other = { ...entry, message: entry.message.slice(1) }
      has('on another message', await bob.report(other, 'failed'), refusal)
      has('on what is not there yet', await bob.report({ ...entry, seq: 99 }, 'failed'), refusal)
      has('by the committer', await alice.report(entry, 'failed'), refusal)
      const forged = { seq: entry.seq, status: 'failed', signature: new Uint8Array(64) } as const
      const unsigned = { groupId, leafIndex: carol.leafIndex, ...forged }
      has('unsigned', await bob.client.request('report', unsigned), refusal)
      same('the head', (await alice.resume()).head, entry.seq)
    },
  },
  {
    id: 'giveBack.checked',
    promise: 'what does not go on from the log’s end is not taken back',
    section: 'Entries that the log has lost (1.1)',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = alice
      const inapplicable = { ok: false, code: 'entries-inapplicable' }
      const groupInfo = await alice.group.groupInfo({ externalPub: true })
      const page = await alice.client.send('resume', { groupId, after: 0 })
      const { entries } = page as { entries: Uint8Array<ArrayBuffer> }
      const giveBack = (after: number, given: Uint8Array<ArrayBuffer>) =>
        alice.client.request('giveBack', { groupId, after, entries: given, groupInfo })
      has('after an earlier entry', await giveBack(0, entries), inapplicable)
      has('after one to come', await giveBack(alice.seen + 1, entries), inapplicable)
      has('no list', await giveBack(alice.seen, new Uint8Array(3)), inapplicable)
      has('nothing', await giveBack(alice.seen, new Uint8Array(1)), inapplicable)
      has('what is there already', await giveBack(alice.seen, entries), inapplicable)
      same('the head', (await bob.resume()).head, bob.seen)
      await alice.receiveUpTo(await bob.commit())
    },
  },
]
