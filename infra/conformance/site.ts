import { randomUUID } from 'node:crypto'
import type { TokenRequest } from '@conclave/core/access'
import { parseServerUrl } from '@conclave/core/access'
import { TestClient } from '../../keyserver/test/support/testClient.ts'
import { admitted, type MeetingPlace, TestMember } from '../../keyserver/test/support/testMember.ts'

/** A keyserver, and what is known of it. */
export interface Target {
  /** Its instances: connections are spread over them. */
  readonly urls: readonly string[]
  /** @param at when it is minted, in milliseconds since the Unix epoch */
  readonly token: (request: TokenRequest, at?: number) => Promise<string>
  /** Which tokens `token` gives: a fixed one, usual ones for everybody, or whatever is asked for. */
  readonly tokens: 'fixed' | 'usual' | 'any'
  /** Whether acknowledged entries survive a crash, where that is known. */
  readonly durable: boolean | undefined
  readonly graceMs: number
  /** How long a member may go without a commit of its own, where a check may wait for that. */
  readonly idleMs?: number | undefined
  /** KeyPackages that may wait in one group. */
  readonly waitingJoiners: number
  /** How long a reply or notice may take. */
  readonly patienceMs: number
}

type Auth = Record<string, unknown>

/** Where one check runs: meetings of its own, and connections that end with it. */
export class Site implements MeetingPlace {
  readonly clock = { now: () => Date.now() }
  readonly target: Target
  /** A meeting that nothing else uses, and people who are in no other check. */
  readonly meetingId: string
  readonly #suffix = randomUUID().slice(0, 8)
  /** How long this check may wait for anything, in milliseconds. */
  readonly patienceMs: number
  readonly #clients: TestClient[] = []

  constructor(target: Target, waitsForGrace: boolean) {
    this.target = target
    this.meetingId = this.newMeeting()
    this.patienceMs = target.patienceMs + (waitsForGrace ? 2 * target.graceMs : 0)
  }

  newMeeting(): string {
    return `conformance-${randomUUID()}`
  }

  token(identity: string, meeting = this.meetingId): Promise<string> {
    return this.target.token({ identity, meeting })
  }

  async connect(identity: string, meetingId = this.meetingId): Promise<TestClient> {
    return await this.connectWith({ token: await this.token(identity, meetingId) })
  }

  async connectWith(auth: Auth): Promise<TestClient> {
    const client = this.client(auth)
    await client.connected()
    return client
  }

  /** A client that is still connecting. */
  client(auth: Auth): TestClient {
    const { urls } = this.target
    const { origin, socketPath } = parseServerUrl(urls[this.#clients.length % urls.length] ?? '')
    const { patienceMs } = this
    const client = new TestClient(origin, auth, { path: socketPath, patienceMs })
    this.#clients.push(client)
    return client
  }

  /** The identity of somebody in this check: what they may ask for is counted for each by itself. */
  identity(name: string): string {
    return `${name}-${this.#suffix}`
  }

  /** A connection that has entered this site's meeting, or another. */
  async entered(name = 'somebody', meetingId = this.meetingId): Promise<TestClient> {
    const client = await this.connect(this.identity(name), meetingId)
    const entered = await client.enter(meetingId)
    if (!entered.ok) throw new Error(`enter: ${entered.code} ${entered.message}`)
    return client
  }

  /** A connection of somebody who may claim others' KeyPackages. */
  async inviter(name: string): Promise<TestClient> {
    const [identity, meeting] = [this.identity(name), this.meetingId]
    const grants = { join: true, invite: true }
    return await this.connectWith({ token: await this.target.token({ identity, meeting, grants }) })
  }

  arrive(name: string, meetingId = this.meetingId): Promise<TestMember> {
    return TestMember.arrive(this, this.identity(name), meetingId)
  }

  found(name: string, meetingId = this.meetingId): Promise<TestMember> {
    return TestMember.found(this, this.identity(name), meetingId)
  }

  /** A meeting of two, in one epoch and attached. */
  async pair(): Promise<[TestMember, TestMember]> {
    const alice = await this.found('alice')
    return [alice, await this.admit([alice], 'bob')]
  }

  async trio(): Promise<[TestMember, TestMember, TestMember]> {
    const [alice, bob] = await this.pair()
    return [alice, bob, await this.admit([alice, bob], 'carol')]
  }

  /** One more member, added by the first of those who are there. */
  admit(members: readonly TestMember[], name: string): Promise<TestMember> {
    return admitted(this, members, this.identity(name))
  }

  close(): void {
    for (const client of this.#clients) client.disconnect()
  }
}
