import { request as httpRequest } from 'node:http'
import { deliveryNamespace, presenceLabel, presenceTbs } from '@conclave/core/delivery'
import { Random } from '../../../core/test/wire/mutation/random.ts'
import type { Arena, Payloads } from './arena.ts'
import type { HostileCase, MeetingKind, Step } from './cases.ts'
import { lonelyMeetings } from './cases.ts'
import { type Finding, HostileSession } from './hostileSession.ts'
import { type Arsenal, argumentsOf, oddArguments } from './payloads.ts'
import { RawSocket } from './rawSocket.ts'
import { authOf, managingToken } from './tokens.ts'

/** What the cases of a batch have in common. */
export interface Battlefield {
  readonly port: number
  readonly arenas: readonly [Arena, Arena]
  readonly common: Partial<Payloads>
  readonly stale: readonly Uint8Array[]
  /** Groups by their meeting, in hex, so that what crosses over is seen. */
  readonly foreignTo: (meeting: MeetingKind) => ReadonlySet<string>
  /** Connections that are left open until the batch is over. */
  readonly abandoned: (socket: RawSocket) => void
  readonly patienceMs: number
}

/** Does to the keyserver what the case says. @returns what must not be */
export async function performCase(
  one: HostileCase,
  field: Battlefield,
): Promise<readonly Finding[]> {
  switch (one.kind) {
    case 'session':
      return await performSession(one, field)
    case 'handshake':
      return await performHandshake(one, field)
    case 'http':
      return await performHttp(one, field)
    case 'requests':
      return await performRequests(one, field)
    case 'connections':
      return await performConnections(one, field)
    case 'slow-reader':
      return await performSlowReader(one, field)
  }
}

type CaseOf<K extends HostileCase['kind']> = Extract<HostileCase, { readonly kind: K }>

export function addressOf(index: number): string {
  return `198.51.100.${index + 1}`
}

function identityOf(index: number): string {
  return `attacker-${index}`
}

function meetingIdOf(meeting: MeetingKind, { arenas }: Battlefield, index: number): string {
  switch (meeting) {
    case 'arena':
      return arenas[0].meetingId
    case 'other-arena':
      return arenas[1].meetingId
    case 'lonely':
      return `lonely-${index % lonelyMeetings}`
    case 'quiet':
      return 'quiet'
  }
}

function arenaOf(meeting: MeetingKind, { arenas }: Battlefield): Arena {
  return meeting === 'other-arena' ? arenas[1] : arenas[0]
}

async function performSession(
  one: CaseOf<'session'>,
  field: Battlefield,
): Promise<readonly Finding[]> {
  const { port, patienceMs, abandoned } = field
  const meeting = one.meeting
  const meetingId = meetingIdOf(meeting, field, one.identity + one.address)
  const foreign = field.foreignTo(meeting)
  const session = await HostileSession.open(port, addressOf(one.address), foreign)
  const { socket } = session
  // Nobody gives attackers a token of the quiet meeting: they only try to enter it.
  const place = meeting === 'quiet' ? 'lonely-0' : meetingId
  await session.present(await authOf(one.token, identityOf(one.identity), place), patienceMs)
  if (one.enters) session.send('enter', [{ protocol: 1, minor: 1, meetingId }])
  if (one.follows) {
    const [follow] = arenaOf(meeting, field).payloads.resume ?? []
    if (follow !== undefined) session.send('resume', [follow])
  }
  if (one.enters) await session.settle(patienceMs)
  for (const step of one.steps) {
    if (socket.closed || session.findings.length > 0) break
    await performStep(step, { session, field, meeting })
    if (one.polite) await session.settle(patienceMs)
  }
  await session.settle(patienceMs)
  if (one.ending === 'abandon') abandoned(socket)
  else if (one.ending === 'cut') socket.destroy()
  else {
    socket.text(`41${deliveryNamespace},`)
    socket.text('1')
    abandoned(socket)
  }
  return session.findings
}

async function performStep(
  step: Step,
  at: {
    readonly session: HostileSession
    readonly field: Battlefield
    readonly meeting: MeetingKind
  },
): Promise<void> {
  const { session, field, meeting } = at
  const { socket } = session
  switch (step.kind) {
    case 'request': {
      const { name, twist, chance, acknowledgement } = step
      const arsenal = arsenalOf(name, meeting, field)
      session.send(name, argumentsOf(twist, chance, arsenal), {
        acknowledged: acknowledgement !== 'none',
        sameIdAsLast: acknowledgement === 'same-id',
      })
      return
    }
    case 'event':
      session.send(step.name, oddArguments(step.chance))
      return
    case 'attach':
      await attach(at, step.chance)
      return
    case 'packet':
      socket.text(step.text)
      return
    case 'binary':
      socket.binary(new Uint8Array(step.length))
      return
    case 'attachments': {
      const placeholders = step.placeholders.map((num) => ({ _placeholder: true, num }))
      const data = JSON.stringify(['collect', { groupId: placeholders[0], ref: placeholders }])
      socket.text(`45${step.declared}-${deliveryNamespace},900000${data}`)
      for (let i = 0; i < step.sent; i++) socket.binary(new Uint8Array(step.length))
      return
    }
    case 'frame': {
      const { length, claimedLength, opcode, fin, reserved, masked } = step
      const payload = new Uint8Array(length).fill(0x34)
      const claimed = claimedLength === undefined ? {} : { claimedLength }
      if (claimedLength !== undefined && claimedLength > length) session.unheard = true
      socket.frame({ opcode, fin, reserved, masked, payload, ...claimed })
      return
    }
    case 'connect': {
      const auth = JSON.stringify(await authOf(step.token, 'attacker-0', 'lonely-0'))
      for (let i = 0; i < step.times; i++) socket.text(`40${deliveryNamespace},${auth}`)
      return
    }
  }
}

function arsenalOf(name: string, meeting: MeetingKind, field: Battlefield): Arsenal {
  const { common, stale } = field
  const own = arenaOf(meeting, field).payloads
  const valid = [...(common[name as keyof Payloads] ?? []), ...(own[name as keyof Payloads] ?? [])]
  return { valid, stale }
}

/** A member lends its key: the keyserver has to believe that this connection is the member's. */
async function attach(
  at: {
    readonly session: HostileSession
    readonly field: Battlefield
    readonly meeting: MeetingKind
  },
  chance: number,
): Promise<void> {
  const { session, field, meeting } = at
  const { nonce } = session
  if (nonce === undefined) return
  const random = new Random(chance, 2)
  const member = random.pick(arenaOf(meeting, field).members)
  const { groupId, leafIndex } = member
  const content = presenceTbs(groupId, leafIndex, Uint8Array.from(nonce))
  const signature = await member.group.sign(presenceLabel, content)
  session.send('attach', [{ groupId, leafIndex, signature }])
}

async function performHandshake(
  { head, abandoned }: CaseOf<'handshake'>,
  field: Battlefield,
): Promise<readonly Finding[]> {
  const whole = head.endsWith('\r\n\r\n')
  const socket = await RawSocket.open(field.port, head, false)
  if (whole) socket.text(`40${deliveryNamespace},{}`)
  field.abandoned(socket)
  if (!abandoned) socket.raw('\r\n\r\n')
  return []
}

/** Statuses that the keyserver and Node's HTTP server have for what they are asked. */
const statuses = [200, 201, 202, 204, 400, 401, 403, 404, 405, 413, 415, 426, 429, 431]

async function performHttp(
  { method, path, body, headers, manages, address }: CaseOf<'http'>,
  { port, patienceMs }: Battlefield,
): Promise<readonly Finding[]> {
  const token = manages ? await managingToken('lonely-1') : undefined
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const asked = httpRequest(
    {
      port,
      host: '127.0.0.1',
      method,
      path: /[^!-~]/.test(path) ? encodeURI(path) : path,
      headers: {
        'x-forwarded-for': addressOf(address),
        ...headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      timeout: patienceMs,
      agent: false,
    },
    (response) => {
      response.resume()
      response.on('close', () => resolve(response.statusCode))
    },
  )
  asked.on('timeout', () => {
    resolve(0)
    asked.destroy()
  })
  asked.on('error', () => resolve(undefined))
  asked.end(body)
  const status = await promise
  if (status === 0) return [{ kind: 'unanswered', detail: `${method} ${path}` }]
  if (status === undefined || statuses.includes(status)) return []
  return [{ kind: 'http-undeclared', detail: `${method} ${path}: ${status}` }]
}

/** Many requests at once, for none of whose answers it waits. */
async function performRequests(
  { name, times, address, identity }: CaseOf<'requests'>,
  field: Battlefield,
): Promise<readonly Finding[]> {
  const { port, patienceMs, arenas } = field
  const { meetingId } = arenas[0]
  const session = await HostileSession.open(port, addressOf(address), field.foreignTo('arena'))
  await session.present(await authOf('good', identityOf(identity), meetingId), patienceMs)
  session.send('enter', [{ protocol: 1, meetingId }])
  const { valid } = arsenalOf(name, 'arena', field)
  for (let i = 0; i < times; i++) session.send(name, [valid[i % valid.length] ?? {}])
  await session.settle(patienceMs)
  session.socket.destroy()
  return session.findings
}

async function performConnections(
  { token, times, address, identity }: CaseOf<'connections'>,
  { port, abandoned }: Battlefield,
): Promise<readonly Finding[]> {
  const auth = JSON.stringify(await authOf(token, identityOf(identity), 'lonely-0'))
  const head = RawSocket.upgradeHead(addressOf(address))
  await Promise.all(
    Array.from({ length: times }, async () => {
      const socket = await RawSocket.open(port, head)
      socket.text(`40${deliveryNamespace},${auth}`)
      abandoned(socket)
    }),
  )
  return []
}

/** Asks for much and reads none of it. */
async function performSlowReader(
  { times, address, identity }: CaseOf<'slow-reader'>,
  field: Battlefield,
): Promise<readonly Finding[]> {
  const { port, patienceMs, arenas, abandoned } = field
  const [arena] = arenas
  const session = await HostileSession.open(port, addressOf(address), field.foreignTo('arena'))
  await session.present(await authOf('good', identityOf(identity), arena.meetingId), patienceMs)
  session.send('enter', [{ protocol: 1, meetingId: arena.meetingId }])
  await session.settle(patienceMs)
  session.socket.pause()
  const [follow] = arena.payloads.resume ?? []
  for (let i = 0; i < times; i++) session.send('resume', [follow])
  abandoned(session.socket)
  return session.findings
}
