import { removalIn } from '../../../keyserver/test/support/removalWords.ts'
import { type Check, has, holds, same } from '../check.ts'

export const removals: readonly Check[] = [
  {
    id: 'removal.omitted',
    promise: 'a commit that leaves out a removal which its sender has seen is refused',
    section: 'What is checked',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const removal = await carol.leaveGroup()
      const { upload } = await alice.prepareCommit([], alice.envelope(removal))
      has('the commit', await alice.client.request('commit', upload), {
        ok: false,
        code: 'message-invalid',
        detail: 'commit-omits-removal',
      })
      same('the head', (await bob.resume()).head, removal)
    },
  },
  {
    id: 'removal.lagging',
    promise:
      'a removal may be missed once, is proposed anew in the next epoch, and then has to be taken',
    section: 'What is checked',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const removal = await carol.leaveGroup()
      const { pending, upload } = await alice.prepareCommit()
      const won = await alice.client.request('commit', upload)
      has('the first commit', won, { ok: true, seq: removal + 1 })
      alice.confirm(pending, removal + 1)
      const next = await alice.prepareCommit()
      const lost = await alice.client.request('commit', next.upload)
      const refusal = { ok: false, code: 'message-invalid', detail: 'commit-lags' }
      has('the second commit', lost, refusal)
      const missed = lost.ok ? [] : (lost.missed ?? [])
      same(
        'entries missed',
        missed.map(({ seq }) => seq),
        [removal + 2],
      )
      next.pending.discard()
      await alice.receive(missed)
      await bob.receiveUpTo(await alice.commit())
      same(
        'the members',
        bob.group.members.map(({ leafIndex }) => leafIndex),
        [0, 1],
      )
    },
  },
  {
    id: 'removal.belated',
    promise: 'a goodbye for an epoch that is over is taken from the leaf’s own connection alone',
    section: 'Requests',
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const { groupId } = carol
      const message = await carol.group.proposeSelfRemove()
      const head = await alice.commit()
      const proposal = { groupId, message }
      const foreign = await bob.client.request('propose', proposal)
      has('of another’s connection', foreign, { ok: false, code: 'epoch-mismatch' })
      const own = await carol.client.request('propose', proposal)
      has('of its own', own, { ok: true, seq: head + 1 })
      const { entry } = await bob.client.notice('entry', (notice) => notice.entry.seq === head + 1)
      const { leaf, envelope } = removalIn(entry)
      same('the leaf', leaf, carol.leafIndex)
      same('the reason', envelope?.reason, 'left')
    },
  },
  {
    id: 'removal.committer',
    promise: 'a leaf that is to be removed cannot commit',
    section: 'What is checked',
    run: async (site) => {
      const [alice, , carol] = await site.trio()
      const removal = await carol.leaveGroup()
      await carol.receiveUpTo(removal)
      const { upload } = await carol.prepareCommit()
      has('the commit', await carol.client.request('commit', upload), {
        ok: false,
        code: 'message-invalid',
        detail: 'committer-pending-removal',
      })
      await alice.receiveUpTo(removal)
      await alice.commit()
      same(
        'the members',
        alice.group.members.map(({ leafIndex }) => leafIndex),
        [0, 1],
      )
    },
  },
  {
    id: 'removal.anew',
    promise:
      'the keyserver proposes a removal anew after every commit that missed it, until it is done',
    section: 'Presence',
    waitsForGrace: true,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { pending, upload } = await alice.prepareCommit()
      bob.client.disconnect()
      const next = alice.seen + 1
      await alice.client.notice('entry', ({ entry }) => entry.seq === next)
      // Made before the keyserver's word, this commit leaves it out in good faith.
      const won = await alice.client.ask('commit', upload)
      holds('the commit', won.seq > next, `after entry ${next}`, won.seq)
      alice.confirm(pending, won.seq)
      await alice.receiveUpTo(won.seq + 1)
      same('removals proposed', [...alice.group.public.pendingRemovals], [bob.leafIndex])
      await alice.commit()
      same('the members', alice.group.members.length, 1)
      same('the head', (await alice.resume()).head, alice.seen)
    },
  },
  {
    id: 'removal.absent',
    promise:
      'who has been gone for the grace period is proposed for removal by the keyserver, and not before',
    section: 'Presence',
    waitsForGrace: true,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      bob.client.disconnect()
      const gone = performance.now()
      await alice.receiveUpTo(alice.seen + 1)
      const ms = performance.now() - gone
      const { graceMs } = site.target
      holds('the removal', ms > graceMs / 2, `after ${graceMs} ms`, `after ${Math.round(ms)} ms`)
      same('removals proposed', [...alice.group.public.pendingRemovals], [bob.leafIndex])
      await alice.commit()
      same(
        'the members',
        alice.group.members.map(({ leafIndex }) => leafIndex),
        [0],
      )
    },
  },
  {
    id: 'removal.idle',
    promise: 'who makes no commit for too long is proposed for removal, although it is connected',
    section: 'Presence',
    needs: 'idle',
    waitsForGrace: true,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { idleMs = 0 } = site.target
      const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
      await pass(idleMs * 0.6)
      await bob.receiveUpTo(await alice.commit())
      same('the head', (await alice.resume()).head, alice.seen)
      await pass(idleMs * 0.4)
      const seq = await alice.commit()
      await alice.receiveUpTo(seq + 1)
      same('removals proposed', [...alice.group.public.pendingRemovals], [bob.leafIndex])
      await alice.commit()
      same('the members', alice.group.members.length, 1)
    },
  },
  {
    id: 'removal.unattached',
    promise: 'who was added and goes before it has attached is absent from then on',
    section: 'Presence',
    waitsForGrace: true,
    run: async (site) => {
      const alice = await site.found('alice')
      const bob = await site.arrive('bob')
      await bob.wait()
      const seq = await alice.admit(1)
      bob.client.disconnect()
      await alice.receiveUpTo(seq + 1)
      same('removals proposed', [...alice.group.public.pendingRemovals], [1])
    },
  },
]
