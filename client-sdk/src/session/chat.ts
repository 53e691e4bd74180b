import { type Clock, ConclaveError, type RandomBytes } from '@conclave/core'
import { type Bytes, decode, equalBytes, toHex } from '@conclave/core/codec'
import type { RefusalCode, ReplyTo } from '@conclave/core/delivery'
import { type ApplicationMessage, FutureMessages, type Group } from '@conclave/core/mls/group'
import type { PublicGroup } from '@conclave/core/mls/public'
import { ContentType, type LeafIndex, MlsMessage, WireFormat } from '@conclave/core/wire'
import {
  type ChatContent,
  messageId,
  type Position,
  prepareContent,
  readContent,
  runBytes,
} from './chatContent.ts'
import { type Attempt, ChatOutbox } from './chatOutbox.ts'
import { MessageOrder } from './messageOrder.ts'
import { refusal, SessionError } from './sessionError.ts'

/**
 * What is kept of an epoch that is over: the keyserver passes messages of the epoch before on, but
 * what it passes comes within seconds. Whoever steals our state in these could read what was said
 * in that epoch and has not come yet; what has been read is wiped at once.
 */
export const chatRetention = { pastEpochs: 1, pastEpochMs: 10_000, resumptionPsks: 0 }

/**
 * Each message has a key of its own, and a ratchet 2^32 of them (RFC 9420 §9.1); beyond, it refuses
 * with `secret-tree-exhausted`.
 */
const generationsPerEpoch = 2 ** 32

/** Messages that came before the commit that begins their epoch, as with several keyservers they may. */
const futureLimits = { epochs: 2, messages: 64, bytes: 256 << 10, milliseconds: 10_000 }

/** Message keys that are set aside in one write. */
const reservedMessages = 64

/** Refusals after which the same message may be passed on in a moment. */
const passing: ReadonlySet<RefusalCode> = new Set([
  'epoch-mismatch',
  'presence-invalid',
  'not-entered',
  'group-unknown',
  'rate-limited',
  'unavailable',
  'internal',
])

/** A message that a member has sent, in its turn. */
export type ChatReceived = ChatContent & { readonly id: string; readonly leaf: LeafIndex }

export interface ChatHost {
  readonly clock: Clock
  readonly random: RandomBytes
  /** Our group, in its current epoch; undefined while we are in none. */
  group(): Group | undefined
  /** Whether the keyserver can be asked. */
  connected(): boolean
  send(groupId: Bytes, message: Bytes): Promise<ReplyTo<'send'>>
  /**
   * Sets aside the keys of that many messages of ours in this epoch.
   * @throws ConclaveError where they cannot be
   */
  reserve(group: Group, count: number): Promise<void>
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  received(message: ChatReceived): void
  missed(leaf: LeafIndex, count: number): void
  problem(error: ConclaveError): void
  /** Three quarters of what we may send in this epoch have been sent. */
  keyWorn(epoch: bigint): void
}

/** Messages that were not taken, without a word. */
export interface ChatCounts {
  /** Came again, or our own. */
  readonly repeated: number
  /** Of an epoch whose keys are gone or that is too far ahead, or of somebody who is gone. */
  readonly untimely: number
}

interface Sender {
  readonly leaf: LeafIndex
  readonly signatureKey: Bytes
}

/** What the members of a meeting write to each other, end-to-end encrypted as application messages. */
export class Chat {
  readonly #host: ChatHost
  readonly #order: MessageOrder<ChatReceived | undefined>
  readonly #outbox: ChatOutbox<(position: Position) => Bytes>
  readonly #senders = new Map<string, Sender>()
  readonly #future = new FutureMessages(futureLimits)
  /** The group as we have entered it: who was there may have said something before. */
  #entered: PublicGroup | undefined
  /** The epoch in which we have been before a crash, without knowing what we have read. */
  #readBefore: bigint | undefined
  #run: Bytes
  /** Message keys that are ours to use. */
  #reserved: { readonly group: Group; left: number } | undefined
  readonly #wornAfter: number
  #protected = { epoch: -1n, messages: 0 }
  #started: { readonly epoch: bigint; readonly run: Bytes; readonly number: number } | undefined
  #repeated = 0
  #untimely = 0
  #cancelPrune: (() => void) | undefined

  /** @param generations messages that may be sent in an epoch */
  constructor(host: ChatHost, generations = generationsPerEpoch) {
    this.#host = host
    this.#wornAfter = Math.ceil((generations * 3) / 4)
    this.#run = host.random(runBytes)
    this.#order = new MessageOrder(host.clock, {
      deliver: (message) => message && host.received(message),
      missed: (name, count) => {
        const sender = this.#senders.get(name)
        if (sender !== undefined) host.missed(sender.leaf, count)
      },
    })
    this.#outbox = new ChatOutbox(host.clock, (content, number) => this.#attempt(content, number))
  }

  get counts(): ChatCounts {
    return { repeated: this.#repeated, untimely: this.#untimely }
  }

  /**
   * Sends it to everyone who is there; the message's id, once the keyserver has passed it on.
   * @throws SessionError `argument-invalid`, `message-unsent`, `keyserver-refused`, `session-ended`
   */
  async send(content: ChatContent): Promise<string> {
    return await this.#outbox.send(prepareContent(content))
  }

  /**
   * We have come into the group with this epoch.
   * @param restored what came in it may have been read before
   */
  entered(group: Group, restored: boolean): void {
    this.#entered = group.public
    this.#readBefore = restored ? group.epoch : undefined
    this.#run = this.#host.random(runBytes)
    this.#outbox.restart()
    this.epochBegan(group)
  }

  epochBegan(group: Group): void {
    const { tree } = group.public
    for (const [name, { leaf, signatureKey }] of this.#senders) {
      const key = tree.leafNode(leaf)?.signatureKey
      if (key !== undefined && equalBytes(key, signatureKey)) continue
      this.#order.forget(name)
      this.#senders.delete(name)
    }
    this.#pruneLater()
    this.#host.run(() => this.#takeFuture())
    this.#outbox.wake()
  }

  /** Our place is gone, and with it what messages could still come: what waits for them does no more. */
  lost(): void {
    this.#order.flush()
  }

  /** A message has come, of which nothing is known yet. */
  async came(message: Bytes): Promise<void> {
    const group = this.#host.group()
    if (group === undefined) return
    const epoch = epochOf(message)
    if (epoch === undefined) return this.#host.problem(unexpected())
    // The group itself would keep it among the log's entries.
    if (epoch > group.epoch) {
      const now = this.#host.clock.now()
      if (!this.#future.keep(epoch, message, group.epoch, now)) this.#untimely += 1
      return
    }
    if (epoch === this.#readBefore) {
      this.#untimely += 1
      return
    }
    const received = await group.receive(message)
    switch (received.kind) {
      case 'application':
        return this.#take(received, group)
      case 'own':
      case 'duplicate':
        this.#repeated += 1
        return
      case 'past-epoch':
        this.#untimely += 1
        return
      case 'rejected':
        return this.#host.problem(received.error)
    }
  }

  close(error: ConclaveError): void {
    this.#cancelPrune?.()
    this.#order.close()
    this.#outbox.close(error)
  }

  #take({ sender, leafNode, data }: ApplicationMessage, group: Group): void {
    const { signatureKey } = leafNode
    const present = group.public.tree.leafNode(sender)?.signatureKey
    if (present === undefined || !equalBytes(present, signatureKey)) {
      // Of an epoch in which it was still there: whoever is removed says nothing any more.
      this.#untimely += 1
      return
    }
    try {
      const { position, content } = readContent(data)
      const name = toHex(signatureKey)
      const place = {
        run: toHex(position.run),
        number: position.number,
        from: this.#wasThere(sender, signatureKey) ? position.epochStart : 0,
      }
      const id = messageId(group.public.crypto, signatureKey, position)
      this.#senders.set(name, { leaf: sender, signatureKey })
      const message = content && { ...content, id, leaf: sender }
      if (!this.#order.offer(name, place, message)) this.#repeated += 1
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      this.#host.problem(error)
    }
  }

  /** Whether somebody was in the group before us. */
  #wasThere(leaf: LeafIndex, signatureKey: Bytes): boolean {
    const key = this.#entered?.tree.leafNode(leaf)?.signatureKey
    return key !== undefined && equalBytes(key, signatureKey)
  }

  async #takeFuture(): Promise<void> {
    for (;;) {
      const group = this.#host.group()
      const message = group && this.#future.take(group.epoch, this.#host.clock.now())
      if (message === undefined) return
      await this.came(message)
    }
  }

  async #attempt(content: (position: Position) => Bytes, number: number): Promise<Attempt> {
    const group = this.#host.group()
    if (group === undefined || !this.#host.connected()) return failed(unreachable())
    let message: Bytes
    const { epoch } = group
    const position = this.#position(epoch, number)
    try {
      await this.#reserve(group)
      message = await group.protect(content(position))
      this.#count(epoch)
    } catch (error) {
      // Proposals wait for a commit (RFC 9420 §12.4), one has just begun the next epoch, or the
      // store is full.
      if (error instanceof ConclaveError) return failed(error)
      throw error
    }
    try {
      const reply = await this.#host.send(group.groupId, message)
      if (!reply.ok) {
        if (passing.has(reply.code)) return failed(refusal(reply))
        throw refusal(reply)
      }
    } catch (error) {
      const lost = error instanceof SessionError && error.code === 'keyserver-unreachable'
      if (!lost) throw error
      return { outcome: 'failed', perhaps: true, error }
    }
    const { signatureKey } = group.public.tree.leafNode(group.leafIndex) ?? {}
    if (signatureKey === undefined) throw unexpected()
    return { outcome: 'passed', id: messageId(group.public.crypto, signatureKey, position) }
  }

  async #reserve(group: Group): Promise<void> {
    if (this.#reserved?.group !== group || this.#reserved.left === 0) {
      await this.#host.reserve(group, reservedMessages)
      this.#reserved = { group, left: reservedMessages }
    }
    this.#reserved.left -= 1
  }

  #count(epoch: bigint): void {
    const messages = this.#protected.epoch === epoch ? this.#protected.messages + 1 : 1
    this.#protected = { epoch, messages }
    if (messages === this.#wornAfter) this.#host.keyWorn(epoch)
  }

  #position(epoch: bigint, number: number): Position {
    const run = this.#run
    if (this.#started?.epoch !== epoch || this.#started.run !== run) {
      this.#started = { epoch, run, number }
    }
    return { run, number, epochStart: this.#started.number }
  }

  /** Otherwise the past epoch's keys would go with the next message. */
  #pruneLater(): void {
    this.#cancelPrune?.()
    this.#cancelPrune = this.#host.clock.setTimer(chatRetention.pastEpochMs, () => {
      this.#cancelPrune = undefined
      this.#host.run(async () => this.#host.group()?.prune())
    })
  }
}

/** The epoch of an application message; undefined for anything else, which is the log's. */
function epochOf(message: Bytes): bigint | undefined {
  try {
    const decoded = decode(MlsMessage, message)
    if (decoded.wireFormat !== WireFormat.privateMessage) return undefined
    const { contentType, epoch } = decoded.privateMessage
    return contentType === ContentType.application ? epoch : undefined
  } catch (error) {
    if (error instanceof ConclaveError) return undefined
    throw error
  }
}

function failed(error: ConclaveError): Attempt {
  return { outcome: 'failed', perhaps: false, error }
}

function unreachable(): SessionError {
  return new SessionError('keyserver-unreachable', 'not in the meeting at the moment')
}

function unexpected(): SessionError {
  return new SessionError('keyserver-protocol-violated', 'this is not an application message')
}
