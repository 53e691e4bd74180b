import type { Socket } from 'socket.io-client'
import { expectDone } from '../benchError.ts'
import type { CommitKind } from './checks.ts'
import { ask, takeSeat } from './clients.ts'
import { keyPackageOf, type Person, person } from './people.ts'
import { groupOf, type Upload } from './preparedGroup.ts'
import { type Both, percentile, type Row, rowOf } from './samples.ts'
import type { Stage } from './stage.ts'

/** Members of a meeting before the first commit is measured. */
const members = 8

interface Committer {
  readonly socket: Socket
  readonly bareSocket: Socket
  /** Commits, in the order in which they were made. */
  readonly uploads: Upload[]
}

interface Block {
  /** Milliseconds from request to acknowledgement. */
  readonly latencies: readonly number[]
  readonly perSecond: number
}

/**
 * How long a commit takes from request to acknowledgement, and how many are taken in a second: in
 * each of so many meetings at the same time one commit after the other.
 */
export async function measureAccept(
  stage: Stage,
  { meetings, kind, rounds }: { meetings: number; kind: CommitKind; rounds: number },
): Promise<readonly Row[]> {
  const perBlock = Math.max(2, Math.ceil(8 / meetings))
  const people = await Promise.all(Array.from({ length: members }, (_, i) => person(`${i}`)))
  const committers: Committer[] = []
  for (let i = 0; i < meetings; i++) {
    const meetingId = `accept ${kind} ${meetings} ${i}`
    committers.push(await prepare(stage, meetingId, people, kind, (rounds + 1) * perBlock))
  }
  const blocks: Both<Block[]> = { ours: [], bare: [] }
  for (let round = 0; round <= rounds; round++) {
    const uploads = committers.map(({ uploads }) => uploads.splice(0, perBlock))
    const ours = await runBlock(committers, uploads, async ({ socket }, upload) => {
      await ask(socket, 'commit', upload)
    })
    const bare = await runBlock(committers, uploads, async ({ bareSocket }, upload) => {
      const reply = await bareSocket.emitWithAck('commit', kind, upload)
      expectDone(reply.ok, 'the floor took no commit')
    })
    // The first is for the compilers.
    if (round === 0) continue
    blocks.ours.push(ours)
    blocks.bare.push(bare)
  }
  for (const { socket, bareSocket } of committers) {
    socket.disconnect()
    bareSocket.disconnect()
  }
  const about = { n: meetings, case: kind }
  const each = (of: (block: Block) => readonly number[]) => ({
    ours: blocks.ours.flatMap(of),
    bare: blocks.bare.flatMap(of),
  })
  return [
    rowOf(
      { op: 'commit.accept', unit: 'ms', ...about },
      each(({ latencies }) => latencies),
    ),
    rowOf(
      { op: 'commit.accept.p95', unit: 'ms', ...about },
      each(({ latencies }) => [percentile(latencies, 95)]),
    ),
    rowOf(
      { op: 'commit.accept.rate', unit: '1/s', ...about },
      each(({ perSecond }) => [perSecond]),
    ),
  ]
}

async function prepare(
  stage: Stage,
  meetingId: string,
  people: readonly Person[],
  kind: CommitKind,
  commits: number,
): Promise<Committer> {
  const [founder, ...others] = people as [Person, ...Person[]]
  const { group, adding } = await groupOf(meetingId, founder, others, stage.externalSender)
  const { founding, groupId } = group
  const uploads: Upload[] = []
  while (uploads.length < commits) {
    const added = kind === 'update' ? [] : [await keyPackageOf(await person('newcomer'))]
    uploads.push(await group.commit(added.map(({ keyPackage }) => keyPackage)))
  }
  const [socket, bareSocket] = await Promise.all([
    stage.connect(founder.identity, meetingId),
    stage.connectBare(),
  ])
  const seat = { meetingId, groupId, person: founder, leafIndex: 0 }
  await takeSeat(socket, seat, 0, { create: founding, commits: [adding] })
  return { socket, bareSocket, uploads }
}

async function runBlock(
  committers: readonly Committer[],
  uploads: readonly (readonly Upload[])[],
  commit: (committer: Committer, upload: Upload) => Promise<void>,
): Promise<Block> {
  const latencies: number[] = []
  const began = performance.now()
  await Promise.all(
    committers.map(async (committer, i) => {
      for (const upload of uploads[i] ?? []) {
        const sent = performance.now()
        await commit(committer, upload)
        latencies.push(performance.now() - sent)
      }
    }),
  )
  return { latencies, perSecond: (1000 * latencies.length) / (performance.now() - began) }
}
