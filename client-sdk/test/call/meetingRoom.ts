import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type Call,
  type CallEvents,
  type CallOptions,
  connectCall,
  type MediaProtection,
} from '@conclave/client/call'
import type { MediaSource } from '@conclave/core/mediaSignalling'
import type { Sfu } from '@conclave/sfu'
import { onTestFinished } from 'vitest'
import { fakeBrowser } from './fakeBrowser.ts'
import { runSfu, sfuPath } from './runningSfu.ts'

type Participant = NonNullable<ReturnType<MediaProtection['participantOf']>>

/** The group's roster, which tests change; every member's protection reads the same one. */
export class Group {
  readonly #members = new Map<number, Participant>()
  readonly #listeners = new Set<() => void>()

  add(leaf: number, identity: string): void {
    const deviceKey = new TextEncoder().encode(`device of ${identity}`)
    this.#members.set(leaf, {
      leaf,
      identity,
      deviceKey,
      self: false,
      verified: false,
      deviceChanged: false,
    })
    this.#changed()
  }

  remove(leaf: number): void {
    this.#members.delete(leaf)
    this.#changed()
  }

  /** A member's view: its own leaf may move, and its browser may refuse to encrypt. */
  member(leaf: number): TestProtection {
    return new TestProtection(leaf, this.#members, this.#listeners)
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

export class TestProtection implements MediaProtection {
  readonly connectionSettings = {}
  readonly attached: { leaf?: number; source: MediaSource }[] = []
  failure: Error | undefined
  #leaf: number
  readonly #members: ReadonlyMap<number, Participant>
  readonly #listeners: Set<() => void>

  constructor(leaf: number, members: ReadonlyMap<number, Participant>, listeners: Set<() => void>) {
    this.#leaf = leaf
    this.#members = members
    this.#listeners = listeners
  }

  moveTo(leaf: number): void {
    this.#leaf = leaf
    for (const listener of this.#listeners) listener()
  }

  ownLeaf(): number {
    return this.#leaf
  }

  participantOf(leaf: number): Participant | undefined {
    return this.#members.get(leaf)
  }

  onRosterChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async protect(_sender: RTCRtpSender, { source }: { source: MediaSource }): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    this.attached.push({ source })
  }

  async unprotect(
    _receiver: RTCRtpReceiver,
    expected: { leaf: number; source: MediaSource },
  ): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    this.attached.push(expected)
  }
}

export interface MeetingRoom {
  readonly url: string
  readonly sfu: Sfu
  token(grants?: { join: boolean; publish?: boolean; subscribe?: boolean }): Promise<string>
  connect(protection: MediaProtection, options?: Partial<CallOptions>): Promise<Call>
}

/** A real SFU, where calls meet in one room until the test is over. */
export async function openMeetingRoom(): Promise<MeetingRoom> {
  const httpServer = createServer().listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  const { sfu, mint } = await runSfu(httpServer)
  const calls: Call[] = []
  onTestFinished(async () => {
    await Promise.all(calls.map((call) => call.close()))
    await sfu.close()
    httpServer.close()
    httpServer.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}${sfuPath}`
  const token: MeetingRoom['token'] = (grants) =>
    mint({
      identity: 'someone',
      meeting: 'standup',
      ...(grants === undefined ? {} : { grants }),
    })
  return {
    url,
    sfu,
    token,
    async connect(protection, options = {}) {
      const call = await connectCall({
        sfu: url,
        token: await token(),
        protection,
        handlerFactory: fakeBrowser(),
        ...options,
      })
      calls.push(call)
      return call
    },
  }
}

export function next<Name extends keyof CallEvents>(
  call: Call,
  name: Name,
): Promise<Parameters<CallEvents[Name]>[0]> {
  return new Promise((resolve) => {
    const listener = (event: Parameters<CallEvents[Name]>[0]) => {
      call.off(name, listener as CallEvents[Name])
      resolve(event)
    }
    call.on(name, listener as CallEvents[Name])
  })
}
