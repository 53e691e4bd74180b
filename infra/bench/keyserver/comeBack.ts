import type { Socket } from 'socket.io-client'
import { machineTime } from '../../servers/child.ts'
import { expectDone } from '../benchError.ts'
import { ask, enter, resume, takeSeat } from './clients.ts'
import type { Crowd } from './crowd.ts'
import { type Person, person } from './people.ts'
import { groupOf } from './preparedGroup.ts'
import { type Row, rowOf } from './samples.ts'
import type { Stage } from './stage.ts'

/** Bytes of what the keyserver answers to `enter`, `resume` (with who is present) and `attach`. */
const answers = [150, 2000, 10] as const

/**
 * How long it takes from the moment when all connections are cut until everybody has connected,
 * entered, resumed and attached; at the floor connections ask three times for as many bytes.
 */
export async function measureReconnect(
  { keyserver, bare }: Stage,
  crowd: Crowd,
  rounds: number,
): Promise<readonly Row[]> {
  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const cut = await keyserver.ask('cut')
    await crowd.returnAll()
    const ms = machineTime() - cut
    const bareCut = await bare.ask('cut')
    await crowd.bare.reconnect(async (socket) => {
      for (const bytes of answers) await askBare(socket, bytes)
    })
    const bareMs = machineTime() - bareCut
    if (round === 0) continue
    ours.push(ms)
    floor.push(bareMs)
  }
  const n = crowd.members.sockets.length
  return [
    rowOf({ op: `reconnect.${n}`, n, case: 'all at once', unit: 'ms' }, { ours, bare: floor }),
  ]
}

/**
 * How long a client takes to catch up that is so many entries behind; the floor sends as many bytes
 * in as many answers.
 */
export async function measureResume(
  stage: Stage,
  behind: number,
  rounds: number,
): Promise<readonly Row[]> {
  const meetingId = 'resume'
  const people = await Promise.all(['founder', 'other'].map((name) => person(name, meetingId)))
  const [founder, other] = people as [Person, Person]
  const { group, adding } = await groupOf(meetingId, founder, [other], stage.externalSender)
  const { groupId } = group
  const [committer, reader, bare] = await Promise.all([
    stage.connect(founder.identity, meetingId),
    stage.connect(other.identity, meetingId),
    stage.connectBare(),
  ])
  const seat = (person: Person, leafIndex: number) => ({ meetingId, groupId, person, leafIndex })
  const first = { create: group.founding, commits: adding }
  await takeSeat(committer, seat(founder, 0), 0, first)
  for (let i = 0; i < behind; i++) await ask(committer, 'commit', await group.commit())
  await enter(reader, meetingId)

  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now()
    const { entries, pages } = await resume(reader, groupId, 1)
    const ms = performance.now() - began
    expectDone(entries.length === behind, 'the log has another length')
    const bareBegan = performance.now()
    for (const bytes of pages) await askBare(bare, bytes)
    const bareMs = performance.now() - bareBegan
    if (round === 0) continue
    ours.push(ms)
    floor.push(bareMs)
  }
  await stage.keyserver.ask('end', meetingId)
  for (const socket of [committer, reader, bare]) socket.disconnect()
  const about = { op: `resume.${behind}`, n: behind, case: 'pages of the log', unit: 'ms' } as const
  return [rowOf(about, { ours, bare: floor })]
}

async function askBare(socket: Socket, bytes: number): Promise<void> {
  const reply = await socket.emitWithAck('ask', {}, bytes)
  expectDone(reply.reply.length === bytes, 'the floor gave other bytes')
}
