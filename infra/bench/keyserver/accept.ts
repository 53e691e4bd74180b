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
  readonly meetingId: string
  readonly socket: Socket
  readonly bareSocket: Socket
  /** Commits, in the order in which they were made. */
  readonly uploads: Upload[]
}

interface Block {
  /** Milliseconds from request to acknowledgement. */
  readonly latencies: readonly number[]
  readonly perSecond: number
  /** Milliseconds that the server has worked for one commit. */
  readonly cpu: number
}

/**
 * How long a commit takes from request to acknowledgement, and how many are taken in a second: in
 * each of so many meetings at the same time one commit after the other.
 */
export async function measureAccept(
  stage: Stage,
  {
    meetings,
    kind,
    rounds,
    name = 'accept',
  }: {
    readonly meetings: number
    readonly kind: CommitKind
    readonly rounds: number
    /** What the meetings' ids begin with. */
    readonly name?: string
  },
): Promise<readonly Row[]> {
  // A group to which somebody is added grows: it is not to become a large one.
  const perBlock = Math.max(2, Math.ceil((kind === 'update' ? 16 : 4) / meetings))
  const committers: Committer[] = []
  for (let i = 0; i < meetings; i++) {
    const meetingId = `${name} ${kind} ${meetings} ${i}`
    committers.push(await prepare(stage, meetingId, kind, (rounds + 1) * perBlock))
  }
  const blocks: Both<Block[]> = { ours: [], bare: [] }
  for (let round = 0; round <= rounds; round++) {
    const uploads = committers.map(({ uploads }) => uploads.splice(0, perBlock))
    const ours = await runBlock(
      stage.keyserver,
      committers,
      uploads,
      async ({ socket }, upload) => {
        await ask(socket, 'commit', upload)
      },
    )
    const bare = await runBlock(stage.bare, committers, uploads, async ({ bareSocket }, upload) => {
      const reply = await bareSocket.emitWithAck('commit', kind, upload)
      expectDone(reply.ok, 'the floor took no commit')
    })
    // The first is for the compilers.
    if (round === 0) continue
    blocks.ours.push(ours)
    blocks.bare.push(bare)
  }
  for (const { meetingId, socket, bareSocket } of committers) {
    await stage.keyserver.ask('end', meetingId)
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
      { op: 'commit.accept.cpu', unit: 'ms', ...about },
      each(({ cpu }) => [cpu]),
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
  kind: CommitKind,
  commits: number,
): Promise<Committer> {
  const names = Array.from({ length: members }, (_, i) => `member ${i}`)
  const people = await Promise.all(names.map((name) => person(name, meetingId)))
  const [founder, ...others] = people as [Person, ...Person[]]
  const { group, adding } = await groupOf(meetingId, founder, others, stage.externalSender)
  const { founding, groupId } = group
  const uploads: Upload[] = []
  while (uploads.length < commits) {
    const added = kind === 'update' ? [] : [await keyPackageOf(await person('newcomer', meetingId))]
    uploads.push(await group.commit(added.map(({ keyPackage }) => keyPackage)))
  }
  const [socket, bareSocket] = await Promise.all([
    // As many of one identity would not be let in.
    stage.connect(`founder of ${meetingId}`, meetingId),
    stage.connectBare(),
  ])
  const seat = { meetingId, groupId, person: founder, leafIndex: 0 }
  await takeSeat(socket, seat, 0, { create: founding, commits: adding })
  return { meetingId, socket, bareSocket, uploads }
}

async function runBlock(
  server: { ask(name: 'cpuTime'): Promise<number> },
  committers: readonly Committer[],
  uploads: readonly (readonly Upload[])[],
  commit: (committer: Committer, upload: Upload) => Promise<void>,
): Promise<Block> {
  const latencies: number[] = []
  const worked = await server.ask('cpuTime')
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
  const perSecond = (1000 * latencies.length) / (performance.now() - began)
  const cpu = ((await server.ask('cpuTime')) - worked) / latencies.length
  return { latencies, perSecond, cpu }
}
