import { availableParallelism } from 'node:os'
import type { AppendedCommit } from '../servers/appendedEntries.ts'
import { addedUp, FollowedMembers } from './floor.ts'
import {
  courseOf,
  goodbyeTimes,
  joinTimes,
  leaveTimes,
  lostCommits,
  type Summary,
  summaryOf,
  turnTimes,
} from './latencies.ts'
import type { MeetingRun, Phase, PhaseRun } from './meetingLoad.ts'
import { costOf, type PrimitiveCounts } from './primitiveCosts.ts'

export type Unit = 'ms' | 'bytes' | 'count'

/** One figure of one phase. */
export interface Row {
  readonly op: string
  /** Participants. */
  readonly n: number
  readonly case: Phase
  readonly unit: Unit
  readonly value: number
  /** What it cannot be below. */
  readonly floor?: number
}

const cores = availableParallelism()

/** All figures of a run, phase by phase. */
export function rowsOf(run: MeetingRun): readonly Row[] {
  const members = new FollowedMembers()
  return run.phases.flatMap((phase) => rowsOfPhase(run, phase, members))
}

type Figure = Omit<Row, 'n' | 'case'>

function rowsOfPhase(run: MeetingRun, phase: PhaseRun, members: FollowedMembers): readonly Row[] {
  const work = workOf(phase, members)
  // So few were left that nobody could go; or what was done has only prepared what follows.
  if (work.commits.length === 0 || phase.phase === 'warming') return []
  const figures = [
    ...overall(run, phase, work),
    ...latencies(run, phase, work),
    ...perRotation(phase, work),
    ...(phase.phase === 'storm' ? [bytes('memory.client', run.memoryPerClient)] : []),
  ]
  return figures.map((figure) => ({ ...figure, n: run.participants, case: phase.phase }))
}

/** What a phase's entries ask of the clients. */
interface Work {
  readonly commits: readonly AppendedCommit[]
  readonly proposals: number
  /** Members after each commit, summed up. */
  readonly memberRotations: number
  /** Milliseconds of one core that all clients need at least. */
  readonly floor: number
  /** The same for whoever makes one commit. */
  readonly committerFloor: number
}

function workOf(phase: PhaseRun, members: FollowedMembers): Work {
  const { costs } = phase
  const counts: PrimitiveCounts[] = phase.phase === 'storm' ? [FollowedMembers.founding()] : []
  let memberRotations = 0
  const committing: PrimitiveCounts[] = []
  for (const entry of phase.entries) {
    const { all, committer } = members.follow(entry)
    counts.push(all)
    committing.push(committer)
    if (entry.kind === 'commit') memberRotations += members.count
  }
  const commits = phase.entries.filter((entry) => entry.kind === 'commit')
  return {
    commits,
    proposals: phase.entries.length - commits.length,
    memberRotations,
    floor: costOf(addedUp(counts), costs),
    committerFloor: costOf(addedUp(committing), costs) / commits.length,
  }
}

/** The phases in which all is wanted at about the same time. */
const rushes: readonly Phase[] = ['storm', 'mass']

function overall(run: MeetingRun, phase: PhaseRun, work: Work): readonly Figure[] {
  const { tookMs, spreadMs } = courseOf(run.records, phase)
  const took = { ...ms('took', tookMs), floor: Math.max(spreadMs, work.floor / cores) }
  return [
    ...(rushes.includes(phase.phase) ? [took] : []),
    count('commits', work.commits.length),
    count('commits.external', work.commits.filter(({ external }) => external).length),
    count('commits.lost', lostCommits(run.records, phase)),
    count('proposals', work.proposals),
    { ...ms('cpu.clients', phase.clientCpu), floor: work.floor },
    ms('cpu.keyserver', phase.keyserverCpu),
    ms('cpu.verification', phase.costs.verifyNew),
  ]
}

function latencies(run: MeetingRun, phase: PhaseRun, work: Work): readonly Figure[] {
  const { total, listed, waiting, entering } = joinTimes(run.records, phase)
  const turns = turnTimes(run.records, phase)
  const leaves = summaryOf(leaveTimes(run.records, phase))
  const oneRotation = work.floor / cores / work.commits.length
  const single = phase.phase === 'leaves'
  const apart = single ? summaryOf(turns.waiting) : undefined
  return [
    ...summary('join', summaryOf(total)),
    ...summary('join.listed', summaryOf(listed)),
    ...summary('join.waiting', summaryOf(waiting)),
    ...summary('join.entering', summaryOf(entering)),
    ...summary('leave', leaves, single ? oneRotation : undefined),
    ...(apart === undefined ? [] : [ms('leave.apart', apart.max + workApart(phase, work))]),
    ...(single ? summary('leave.goodbye', summaryOf(goodbyeTimes(run.records, phase))) : []),
    ...summary('turn.waiting', summaryOf(turns.waiting)),
    ...summary('turn.making', summaryOf(turns.making)),
    ...summary('turn.ordering', summaryOf(turns.ordering)),
    ...summary('turn.spreading', summaryOf(turns.spreading)),
  ]
}

/**
 * What a rotation takes beside waiting where each client has a machine of its own: the keyserver's
 * work, the committer's, and that of a member for the proposal and for the commit, none of it
 * beside the others. The committer's is taken from the floor, as much above it as everybody's is.
 * The network, two round trips, is not in it.
 */
function workApart({ clientCpu, keyserverCpu }: PhaseRun, work: Work): number {
  const rotations = work.commits.length
  const member = clientCpu / work.memberRotations
  const committer = (clientCpu / work.floor) * work.committerFloor
  return keyserverCpu / rotations + 2 * member + committer
}

function perRotation(phase: PhaseRun, work: Work): readonly Figure[] {
  const { received, sent } = phase.traffic
  const { memberRotations, commits } = work
  const most = Math.max(phase.membersBefore, phase.membersAfter)
  const seals = summaryOf(commits.map((commit) => commit.seals))
  const sizes = summaryOf(commits.map((commit) => commit.bytes))
  return [
    bytes('received.member', sent / most),
    bytes('sent.member', received / most),
    bytes('received.rotation', sent / memberRotations),
    bytes('sent.rotation', received / memberRotations),
    bytes('bytes.rotation', (received + sent) / memberRotations),
    ...(seals === undefined ? [] : [count('seals.p50', seals.p50)]),
    ...(sizes === undefined ? [] : [bytes('commit.p50', sizes.p50)]),
    {
      ...ms('cpu.rotation', phase.clientCpu / memberRotations),
      floor: work.floor / memberRotations,
    },
    ms('cpu.keyserver.rotation', phase.keyserverCpu / commits.length),
  ]
}

function summary(op: string, of: Summary | undefined, floor?: number): readonly Figure[] {
  if (of === undefined) return []
  const besides = floor === undefined ? {} : { floor }
  return [
    { ...ms(`${op}.p50`, of.p50), ...besides },
    { ...ms(`${op}.p95`, of.p95), ...besides },
    { ...ms(`${op}.max`, of.max), ...besides },
  ]
}

function ms(op: string, value: number): Figure {
  return { op, unit: 'ms', value }
}

function bytes(op: string, value: number): Figure {
  return { op, unit: 'bytes', value }
}

function count(op: string, value: number): Figure {
  return { op, unit: 'count', value }
}
