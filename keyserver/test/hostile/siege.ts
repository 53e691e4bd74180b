import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { systemClock } from '@conclave/keyserver'
import { eventually } from '../support/eventually.ts'
import type { AttackOrders, AttackReport, FoundByCase } from './attack.ts'
import { addresses } from './cases.ts'
import { type Finding, HostileSession } from './hostileSession.ts'
import { attackedLimits, type HostingOrders, type Measured } from './hosting.ts'
import { addressOf } from './performCase.ts'
import { QuietMeeting } from './quietMeeting.ts'
import { tokenFor } from './tokens.ts'
import { linesOf, startProgram, WatchedKeyserver } from './watchedKeyserver.ts'

/** What a keyserver under attack may come to. */
export interface Bounds {
  /** How long a reply may take before it counts as missing, in milliseconds. */
  readonly patienceMs: number
  /** Bytes of heap that may stay when the attackers are gone. */
  readonly keptBytes: number
  /** Bytes that the process may have at any time. */
  readonly rss: number
  /** How long the event loop may stand still, in milliseconds. */
  readonly standstillMs: number
}

export interface Outcome {
  readonly findings: readonly (Finding | FoundByCase)[]
  readonly figures: Readonly<Record<string, number>>
}

const mega = 2 ** 20

/**
 * A keyserver in a process of its own, attackers in another, and here a quiet meeting that goes on
 * before and meanwhile.
 */
export async function besiege(
  { redisUrl, fault, ...attack }: HostingOrders & { readonly seed: number; readonly cases: number },
  bounds: Bounds,
): Promise<Outcome> {
  const hosting = { ...(redisUrl && { redisUrl }), ...(fault && { fault }) }
  const server = await WatchedKeyserver.start(hosting)
  try {
    return await besiegeServer(server, attack, bounds)
  } finally {
    await server.stop()
  }
}

async function besiegeServer(
  server: WatchedKeyserver,
  { seed, cases }: { readonly seed: number; readonly cases: number },
  bounds: Bounds,
): Promise<Outcome> {
  const { port, findings } = server
  const { patienceMs } = bounds
  const quiet = await QuietMeeting.open(port, patienceMs)
  const { acknowledgedAfter } = quiet
  // Before the attack, to compare with.
  await quiet.goOn(() => acknowledgedAfter.length >= Math.min(40, cases / 10))
  const control = acknowledgedAfter.splice(0)
  const before = await server.measure('collected')
  const orders = {
    port,
    seed,
    cases,
    patienceMs,
    quiet: { groupId: quiet.groupId, bytes: quiet.overheard },
  }
  const attackers = new Attackers(orders)
  const watching = watch(server, attackers)
  let disturbed: Finding[] = []
  try {
    await quiet.goOn(() => attackers.ended || !server.running)
    if (server.running) disturbed = [...(await quiet.differences())]
  } catch (error) {
    disturbed = [{ kind: 'quiet-meeting-disturbed', detail: String(error) }]
  }
  await attackers.end(server)
  await watching
  const after = await server.measure('now')
  const during = [...attackers.findings, ...disturbed, ...taken(server, after, bounds)]
  // Where something was found, what is left behind says no more.
  const isLeft = during.length === 0 && server.running
  const places = isLeft ? await placesKept(port) : []
  const kept = isLeft ? await whatIsKept(server, quiet, before, bounds) : []
  const last = await server.measure('collected')
  quiet.leave()
  const { report } = attackers
  return {
    findings: [...findings, ...during, ...places, ...kept],
    figures: {
      cases: report?.done ?? 0,
      steps: report?.steps ?? 0,
      arenas: report?.arenas ?? 0,
      quietCommits: acknowledgedAfter.length,
      quietMsP50: percentile(acknowledgedAfter, 0.5),
      quietMsP95: percentile(acknowledgedAfter, 0.95),
      controlMsP50: percentile(control, 0.5),
      controlMsP95: percentile(control, 0.95),
      commits: server.commits,
      refusals: server.refusals,
      kindsOfRefusal: server.kindsOfRefusal.size,
      peakRssMb: Math.round(server.peakRss / mega),
      rssBeforeMb: Math.round((before?.rss ?? 0) / mega),
      usedBeforeMb: Math.round((before?.used ?? 0) / mega),
      usedAfterMb: Math.round((last?.used ?? 0) / mega),
      rssAfterMb: Math.round((last?.rss ?? 0) / mega),
      longestDelayMs: Math.round(after?.longestDelayMs ?? 0),
    },
  }
}

class Attackers {
  report: AttackReport | undefined
  readonly #process
  readonly #said: string[] = []
  #exit: number | string | undefined

  constructor(orders: AttackOrders) {
    this.#process = startProgram('attack.ts', orders)
    this.#process.on('message', (report) => {
      this.report = report as AttackReport
    })
    this.#process.once('exit', (code, signal) => {
      this.#exit = code ?? signal ?? undefined
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      linesOf(stream, (line) => this.#said.push(line))
    }
  }

  get ended(): boolean {
    return this.#exit !== undefined || this.report?.ended === true
  }

  get findings(): readonly FoundByCase[] {
    return this.report?.findings ?? []
  }

  /** Lets them end; without a keyserver they cannot. */
  async end(server: WatchedKeyserver): Promise<void> {
    if (!server.running) this.#process.kill('SIGKILL')
    if (this.#exit === undefined) await once(this.#process, 'exit')
    if (server.running && this.report?.ended !== true) {
      throw new Error(`the attackers gave up: ${this.#said.join('\n')}`)
    }
  }
}

/** Looks at the keyserver's memory while it is attacked. */
async function watch(server: WatchedKeyserver, attackers: Attackers): Promise<void> {
  while (!attackers.ended && server.running) {
    await server.measure('now')
    await new Promise<void>((resolve) => systemClock.setTimer(250, resolve))
  }
}

function taken(
  { peakRss }: WatchedKeyserver,
  after: Measured | undefined,
  { rss, standstillMs }: Bounds,
): readonly Finding[] {
  const findings: Finding[] = []
  const ms = after?.longestDelayMs ?? 0
  if (peakRss > rss) findings.push({ kind: 'memory-taken', detail: `${peakRss / mega} MiB` })
  if (ms > standstillMs) findings.push({ kind: 'stood-still', detail: `for ${ms} ms` })
  return findings
}

/** Each address and identity that attacked has all its places again: none was lost. */
async function placesKept(port: number): Promise<readonly Finding[]> {
  const places = Math.min(
    attackedLimits.connectionsPerAddress,
    attackedLimits.connectionsPerIdentity,
    attackedLimits.connectionsPerMeeting,
  )
  const findings: Finding[] = []
  for (const [address, identity] of [
    [0, 0],
    [addresses - 1, 1],
  ] as const) {
    const auth = { token: await tokenFor(`attacker-${identity}`, 'lonely-1') }
    const sessions = await Promise.all(
      Array.from({ length: places }, async () => {
        const session = await HostileSession.open(port, addressOf(address), new Set())
        await session.present(auth)
        session.send('enter', [{ protocol: 1, meetingId: 'lonely-1' }])
        await session.settle()
        return session
      }),
    )
    const inside = sessions.filter(({ nonce }) => nonce !== undefined).length
    for (const { socket } of sessions) socket.destroy()
    if (inside < places) {
      findings.push({ kind: 'places-kept', detail: `${inside} of ${places} connections` })
    }
  }
  return findings
}

/** What is still there when all but the quiet meeting have gone. */
async function whatIsKept(
  server: WatchedKeyserver,
  quiet: QuietMeeting,
  before: Measured | undefined,
  { keptBytes, patienceMs }: Bounds,
): Promise<readonly Finding[]> {
  const there = quiet.members.length
  const isAlone = async (): Promise<boolean> => {
    const { connections = there, meetings = 1 } = (await server.measure('now'))?.health ?? {}
    return connections === there && meetings === 1
  }
  const keptNow = (measured: Measured | undefined) => (measured?.used ?? 0) - (before?.used ?? 0)
  const isGivenBack = async () => keptNow(await server.measure('collected')) <= keptBytes
  // Connections that have just been closed hold their buffers for a while; meanwhile a meeting may be
  // looked after once more.
  const isForgotten = async () => (await isAlone()) && (await isGivenBack()) && (await isAlone())
  // What is kept is said below.
  await eventually('the attackers to be forgotten', isForgotten, patienceMs).catch(() => {})
  const last = await server.measure('counted')
  if (last === undefined) return []
  const { health, alive } = last
  const findings: Finding[] = []
  const seen = { ...health, ...alive }
  const wanted = { connections: there, meetings: 1, Connection: there, OpenGroup: 1 }
  if (!isDeepStrictEqual(seen, wanted)) {
    findings.push({ kind: 'objects-kept', detail: JSON.stringify(seen) })
  }
  const kept = keptNow(last)
  if (kept > keptBytes) findings.push({ kind: 'memory-kept', detail: `${kept / mega} MiB` })
  return findings
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return Math.round(value * 10) / 10
}
