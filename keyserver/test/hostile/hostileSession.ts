import { deliveryNamespace } from '@conclave/core/delivery'
import { eventually } from '../support/eventually.ts'
import { RawSocket } from './rawSocket.ts'
import { faultOfNotice, faultOfReply } from './replyShapes.ts'

/** Something that no client may bring about. */
export interface Finding {
  readonly kind:
    | 'crashed'
    | 'error-logged'
    | 'token-logged'
    | 'printed'
    | 'unanswered'
    | 'answered-twice'
    | 'reply-undeclared'
    | 'notice-undeclared'
    | 'crossed-meetings'
    | 'quiet-meeting-disturbed'
    | 'memory-kept'
    | 'memory-taken'
    | 'objects-kept'
    | 'places-kept'
    | 'stood-still'
    | 'http-undeclared'
  readonly detail: string
}

interface Asked {
  /** Of each request with this acknowledgement id. */
  readonly names: string[]
  replies: number
}

/** Acknowledgement ids from here on belong to packets that are sent as they are. */
export const wildIds = 900_000

/**
 * A client of the delivery protocol that sends whatever it likes and watches what comes back: one
 * reply of the declared shape for each request, and nothing of a meeting that it is not in.
 */
export class HostileSession {
  readonly findings: Finding[] = []
  readonly socket: RawSocket
  /** What the keyserver has said about its own connection. */
  nonce: Uint8Array | undefined
  /** What follows is taken for the rest of a frame that was begun: nothing of it is answered. */
  unheard = false
  readonly #asked = new Map<number, Asked>()
  /** Groups that this client has no business with, in hex. */
  readonly #foreign: ReadonlySet<string>
  #nextId = 0
  #admission: 'pending' | 'admitted' | 'refused' = 'pending'
  #unfinished: { readonly text: string; readonly wanted: number; bytes: Uint8Array[] } | undefined

  private constructor(socket: RawSocket, foreign: ReadonlySet<string>) {
    this.socket = socket
    this.#foreign = foreign
    socket.onText = (text) => this.#takeText(text)
    socket.onBinary = (bytes) => this.#takeBinary(bytes)
  }

  static async open(
    port: number,
    address: string,
    foreign: ReadonlySet<string>,
  ): Promise<HostileSession> {
    const socket = await RawSocket.open(port, RawSocket.upgradeHead(address))
    return new HostileSession(socket, foreign)
  }

  get admitted(): boolean {
    return this.#admission === 'admitted'
  }

  /** Presents a token, of whatever type; settles once the keyserver has decided. */
  async present(auth: unknown, patienceMs?: number): Promise<void> {
    this.socket.text(`40${deliveryNamespace},${JSON.stringify(auth)}`)
    await this.#until('a decision on a token', () => this.#admission !== 'pending', patienceMs)
  }

  /** Sends an event with these arguments. @returns its acknowledgement's id */
  send(name: string, args: readonly unknown[], options: SendOptions = {}): number | undefined {
    const { acknowledged = true, sameIdAsLast = false } = options
    const id = sameIdAsLast && this.#nextId > 0 ? this.#nextId - 1 : this.#nextId++
    if (acknowledged && !this.unheard) {
      const asked = this.#asked.get(id) ?? { names: [], replies: 0 }
      asked.names.push(name)
      this.#asked.set(id, asked)
    }
    const attachments: Uint8Array[] = []
    const data = JSON.stringify([name, ...args], (_key, value: unknown) => {
      if (!(value instanceof Uint8Array)) return value
      return { _placeholder: true, num: attachments.push(value) - 1 }
    })
    const type = attachments.length === 0 ? '42' : `45${attachments.length}-`
    this.socket.text(`${type}${deliveryNamespace},${acknowledged ? id : ''}${data}`)
    for (const bytes of attachments) this.socket.binary(bytes)
    return acknowledged ? id : undefined
  }

  /** Waits until all has been answered that a keyserver has to answer. */
  async settle(patienceMs?: number): Promise<void> {
    if (!this.admitted || this.findings.length > 0) return
    const unanswered = () =>
      [...this.#asked.values()].filter((one) => one.replies < one.names.length)
    await this.#until('replies', () => unanswered().length === 0, patienceMs)
    if (this.socket.closed) return
    for (const { names, replies } of unanswered()) {
      this.#found('unanswered', `${names}: ${replies} of ${names.length} replies`)
    }
  }

  async #until(what: string, holds: () => boolean, patienceMs?: number): Promise<void> {
    try {
      await eventually(what, () => this.socket.closed || holds(), patienceMs)
    } catch {
      if (what === 'replies') return
      this.findings.push({ kind: 'unanswered', detail: what })
    }
  }

  #takeText(text: string): void {
    if (text === '2') this.socket.text('3')
    if (!text.startsWith('4')) return
    const binary = /^4[56](\d+)-/.exec(text)
    if (binary === null) this.#takePacket(text, [])
    else this.#unfinished = { text, wanted: Number(binary[1]), bytes: [] }
  }

  #takeBinary(bytes: Uint8Array): void {
    const unfinished = this.#unfinished
    if (unfinished === undefined) return
    unfinished.bytes.push(bytes)
    if (unfinished.bytes.length < unfinished.wanted) return
    this.#unfinished = undefined
    this.#takePacket(unfinished.text, unfinished.bytes)
  }

  #takePacket(text: string, attachments: readonly Uint8Array[]): void {
    const packet = /^4(\d)(?:\d+-)?\/delivery,(\d*)([[{].*)?$/s.exec(text)
    if (packet === null) return
    const [, type, id = '', json] = packet
    const data: unknown = json === undefined ? undefined : JSON.parse(json, revive(attachments))
    if (type === '0' || type === '4') this.#takeDecision(type === '0')
    else if ((type === '3' || type === '6') && Array.isArray(data))
      this.#takeReply(Number(id), data)
    else if ((type === '2' || type === '5') && Array.isArray(data)) this.#takeNotice(data)
  }

  /** Later ones are about further attempts. */
  #takeDecision(admitted: boolean): void {
    if (this.#admission === 'pending') this.#admission = admitted ? 'admitted' : 'refused'
  }

  #takeReply(id: number, args: readonly unknown[]): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) {
      if (id < wildIds) this.#found('answered-twice', `a reply to nothing, ${id}`)
      return
    }
    asked.replies += 1
    const { names, replies } = asked
    if (replies > names.length) this.#found('answered-twice', `${names}`)
    const faults = names.map((name) => faultOfReply(name, args))
    if (!faults.includes(undefined)) this.#found('reply-undeclared', `${names}: ${faults}`)
    this.#lookForForeign(`${names}`, args)
    const [reply] = args as [{ readonly nonce?: unknown } | undefined]
    if (reply?.nonce instanceof Uint8Array) this.nonce = reply.nonce
  }

  #takeNotice([name, ...args]: readonly unknown[]): void {
    const fault = faultOfNotice(String(name), args)
    if (fault !== undefined) this.#found('notice-undeclared', `${name}: ${fault}`)
    this.#lookForForeign(String(name), args)
  }

  #lookForForeign(where: string, [said]: readonly unknown[]): void {
    if (typeof said !== 'object' || said === null) return
    const { groupId, group } = said as { groupId?: unknown; group?: { groupId?: unknown } | null }
    for (const id of [groupId, group?.groupId]) {
      if (id instanceof Uint8Array && this.#foreign.has(Buffer.from(id).toString('hex'))) {
        this.#found('crossed-meetings', `${where} tells of a group of another meeting`)
      }
    }
  }

  #found(kind: Finding['kind'], detail: string): void {
    this.findings.push({ kind, detail })
  }
}

export interface SendOptions {
  readonly acknowledged?: boolean
  /** Uses the acknowledgement id of the request before once more. */
  readonly sameIdAsLast?: boolean
}

function revive(attachments: readonly Uint8Array[]) {
  return (_key: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || !('_placeholder' in value)) return value
    return attachments[Number((value as { num?: unknown }).num)]
  }
}
