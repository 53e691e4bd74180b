import { toHex } from '@conclave/core/codec'
import { type LogEntry, maxEntriesPerPage } from '@conclave/core/delivery'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import type { TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, holds, same } from '../check.ts'
import type { Site } from '../site.ts'

/** The whole log, page by page. */
async function readLog({ client, groupId }: TestMember): Promise<readonly string[]> {
  const log: string[] = []
  for (;;) {
    const page = await client.ask('resume', { groupId, after: log.length })
    for (const { seq, message } of page.entries) {
      same('the next sequence number', seq, log.length + 1)
      log.push(toHex(message))
    }
    if (log.length >= page.head) return log
    holds('a page', page.entries.length > 0, 'at least one entry before the head', page.entries)
  }
}

/**
 * Sequence numbers as they came. From several instances notices may overtake each other and come
 * twice; none may be missing.
 */
function told(site: Site, entries: readonly LogEntry[]): readonly number[] {
  const seqs = entries.map(({ seq }) => seq)
  return site.target.urls.length === 1 ? seqs : [...new Set(seqs)].sort((a, b) => a - b)
}

/** Proposals of one member in one epoch: as many as every keyserver takes. */
const proposalsInAnEpoch = 16

/** A log that is longer than a page. */
async function talk(members: readonly TestMember[], entries: number): Promise<number> {
  let head = 0
  while (head < entries) {
    for (const { client, group, groupId } of members) {
      for (let i = 0; i < proposalsInAnEpoch; i++) {
        await client.ask('propose', { groupId, message: await group.proposeUpdate() })
      }
    }
    const [committer, ...others] = members as [TestMember, ...TestMember[]]
    await committer.resume()
    head = await committer.commit()
    await Promise.all(others.map((member) => member.receiveUpTo(head)))
  }
  return head
}

export const resuming: readonly Check[] = [
  {
    id: 'resume.pages',
    promise: `a long log comes in pages of ${maxEntriesPerPage} at most, in order and without gaps`,
    section: 'Requests',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const { groupId } = alice
      const head = await talk([alice, bob, carol], maxEntriesPerPage + 1)
      const page = await bob.client.ask('resume', { groupId, after: 0 })
      same('the head', page.head, head)
      const { length } = page.entries
      holds('a page', length <= maxEntriesPerPage, `at most ${maxEntriesPerPage} entries`, length)
      same('the log', (await readLog(bob)).length, head)
    },
  },
  {
    id: 'resume.same',
    promise: 'all who read the log read the same, whenever they do',
    section: 'Order',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = alice
      await alice.commit()
      await bob.receiveUpTo(alice.seen)
      await bob.commit()
      const carol = await site.arrive('carol')
      const { entries } = await carol.client.ask('resume', { groupId, after: 0 })
      const log = await readLog(alice)
      same('the log as it is', log.length, bob.seen)
      same(
        'a newcomer’s',
        entries.map(({ message }) => toHex(message)),
        log,
      )
      same('another member’s', await readLog(bob), log)
    },
  },
  {
    id: 'resume.once',
    promise: 'between a page and the notices after it nothing is lost and nothing comes twice',
    section: 'Order',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { groupId } = bob
      for (let round = 0; round < 6; round++) {
        bob.client.disconnect()
        await bob.reconnect({ follow: false })
        const after = bob.seen
        const [page, seq] = await Promise.all([
          bob.client.ask('resume', { groupId, after }),
          alice.commit(),
        ])
        const { notices } = bob.client
        const all = () => [...page.entries, ...notices.entry.map(({ entry }) => entry)]
        const complete = () => new Set(all().map((entry) => entry.seq)).size >= seq - after
        await eventually(`entry ${seq}`, complete, site.patienceMs)
        const expected = Array.from({ length: seq - after }, (_, i) => after + 1 + i)
        same('sequence numbers', told(site, all()), expected)
        await bob.receive(page.entries)
        await bob.receiveUpTo(seq)
      }
    },
  },
  {
    id: 'resume.notices',
    promise:
      'whoever has resumed up to the head gets every later entry as a notice, in order, each once',
    section: 'Order',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const after = carol.seen
      for (let round = 0; round < 4; round++) {
        const { groupId } = bob
        const message = await bob.group.proposeUpdate()
        const proposal = await bob.client.ask('propose', { groupId, message })
        await Promise.all([alice.receiveUpTo(proposal.seq), bob.receiveUpTo(proposal.seq)])
        await bob.receiveUpTo(await alice.commit())
      }
      await carol.receiveUpTo(alice.seen)
      for (const { client, identity } of [bob, carol]) {
        const seqs = told(
          site,
          client.notices.entry.map(({ entry }) => entry),
        )
        const last = seqs.filter((seq) => seq > after)
        same(
          `${identity}’s notices`,
          last,
          Array.from({ length: 8 }, (_, i) => after + 1 + i),
        )
      }
      same('the epoch secret', carol.group.epochAuthenticator, alice.group.epochAuthenticator)
    },
  },
  {
    id: 'resume.range',
    promise: 'entries beyond the log’s end are refused, not answered with none',
    section: 'Refusals',
    run: async (site) => {
      const alice = await site.found('alice')
      const { groupId } = alice
      for (const after of [1, 5, Number.MAX_SAFE_INTEGER]) {
        const reply = await alice.client.request('resume', { groupId, after })
        has(`after ${after}`, reply, { ok: false, code: 'seq-out-of-range' })
      }
      const { seen: after } = alice
      has('after the last', await alice.client.request('resume', { groupId, after }), { ok: true })
    },
  },
]
