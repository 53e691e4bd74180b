import { randomUUID } from 'node:crypto'
import type { TokenRequest } from '@conclave/core/access'
import { parseServerUrl } from '@conclave/core/access'
import { TestClient } from '../../keyserver/test/support/testClient.ts'
import { admitted, type MeetingPlace, TestMember } from '../../keyserver/test/support/testMember.ts'

/** A keyserver, and what is known of it. */
export interface Target {
  /** Its instances: connections are spread over them. */
  readonly urls: readonly string[]
  readonly token: (request: TokenRequest) => Promise<string>
  /** Whether `token` may be asked for other grants and lifetimes than the usual ones. */
  readonly mints: boolean
  /** Whether acknowledged entries survive a crash, where that is known. */
  readonly durable: boolean | undefined
  readonly graceMs: number
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
  /** A meeting that nothing else uses. */
  readonly meetingId: string
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

  /** A connection that has entered this site's meeting. */
  async entered(identity = 'somebody'): Promise<TestClient> {
    const client = await this.connect(identity)
    const entered = await client.enter(this.meetingId)
    if (!entered.ok) throw new Error(`enter: ${entered.code} ${entered.message}`)
    return client
  }

  arrive(identity: string, meetingId = this.meetingId): Promise<TestMember> {
    return TestMember.arrive(this, identity, meetingId)
  }

  found(identity: string, meetingId = this.meetingId): Promise<TestMember> {
    return TestMember.found(this, identity, meetingId)
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
  admit(members: readonly TestMember[], identity: string): Promise<TestMember> {
    return admitted(this, members, identity)
  }

  close(): void {
    for (const client of this.#clients) client.disconnect()
  }
}
