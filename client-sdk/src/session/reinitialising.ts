import type { Clock, ConclaveError, RandomBytes } from '@conclave/core'
import { equalBytes, toHex } from '@conclave/core/codec'
import { groupIdBytes } from '@conclave/core/meeting'
import type { Group } from '@conclave/core/mls/group'
import type { Member } from '@conclave/core/mls/treesync'
import { ProposalType, ProtocolVersion } from '@conclave/core/wire'
import type { DeliveryLink } from './deliveryLink.ts'
import { proposedReInit } from './nextPlace.ts'
import { type NamedDevice, namedDevice } from './roster.ts'
import { isTransient, isUnreachable, refusal, SessionError } from './sessionError.ts'

/** How long a ReInit may take where not told otherwise, in milliseconds. */
export const defaultReinitialiseTimeoutMs = 60_000
/** The pause before members are asked again who have not answered, in milliseconds. */
const askAgainMs = 15_000
/** The pause before a proposal that was refused for now is sent again, in milliseconds. */
const retryMs = 500

/** Which member keeps the meeting from going on in another group. */
export interface UnreadyMember extends NamedDevice {
  readonly leaf: number
}

/**
 * The meeting was not reinitialised, and goes on as it was: these members have prepared nothing for
 * the next group in time (`members-silent`), or cannot do its suite (`suite-unsupported`).
 */
export class MembersUnreadyError extends SessionError {
  readonly members: readonly UnreadyMember[]

  constructor(
    code: 'members-silent' | 'suite-unsupported',
    message: string,
    members: readonly UnreadyMember[],
  ) {
    super(code, message, { detail: members.map(({ identity }) => identity).join() })
    this.members = members
  }
}

export interface ReinitialisingOptions {
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
  readonly random: RandomBytes
}

export interface ReinitialisingHost {
  /** Our group, in its current epoch; undefined while we are in none. */
  group(): Group | undefined
  /** The leaves that have offered nothing in this epoch, as far as the keyserver has said. */
  missing(): ReadonlySet<number> | undefined
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
}

interface Wish {
  readonly cipherSuite: number
  /**
   * The groups that were proposed. Each proposal names one of its own: the keyserver may lose the
   * log's end and, with it, one that has begun, and no group may have two first epochs.
   */
  readonly proposed: readonly Uint8Array[]
  readonly settled: PromiseWithResolvers<void>
  cancelTimeout: () => void
  /** The members that were asked before, by their signature keys, and which of them were silent. */
  asked: { readonly at: number; readonly all: ReadonlySet<string>; silent: ReadonlySet<string> }
}

/**
 * Proposes, as our user wishes, that the meeting go on in another group, with another suite. A
 * proposal lasts for an epoch, so that it is repeated until a commit has it or the time is over; each
 * time that has a chance to have it, because nobody can write anything while it waits.
 */
export class Reinitialising {
  readonly #options: ReinitialisingOptions
  readonly #host: ReinitialisingHost
  #wish: Wish | undefined
  #cancelRetry: (() => void) | undefined

  constructor(options: ReinitialisingOptions, host: ReinitialisingHost) {
    this.#options = options
    this.#host = host
  }

  /**
   * Resolves once we are in the next group.
   * @throws MembersUnreadyError, SessionError `argument-invalid` while another wish is open,
   *   `keyserver-refused`, and what `close` is given
   */
  async wish(cipherSuite: number, timeoutMs: number): Promise<void> {
    if (this.#wish !== undefined) {
      throw new SessionError('argument-invalid', 'the meeting is being reinitialised already')
    }
    const { clock } = this.#options
    const settled = Promise.withResolvers<void>()
    this.#wish = {
      cipherSuite,
      proposed: [],
      settled,
      cancelTimeout: clock.setTimer(timeoutMs, () => this.#timedOut()),
      asked: { at: Number.NEGATIVE_INFINITY, all: new Set(), silent: new Set() },
    }
    this.goOn()
    return await settled.promise
  }

  /** An epoch has begun, or a connection that speaks for our leaf. */
  goOn(): void {
    if (this.#wish !== undefined) this.#host.run(() => this.#propose())
  }

  /** An epoch is about to end, or has: who has offered nothing in it was asked in vain. */
  noteSilent(): void {
    const members = this.#host.group()?.members
    const missing = this.#host.missing()
    if (this.#wish === undefined || members === undefined || missing === undefined) return
    const silent = members.filter(({ leafIndex }) => missing.has(leafIndex))
    this.#wish.asked = { ...this.#wish.asked, silent: new Set(silent.map(keyOf)) }
  }

  /** The meeting goes on in another group, by whosever wish. */
  continued(cipherSuite: number): void {
    const wish = this.#wish
    if (wish === undefined) return
    if (wish.cipherSuite === cipherSuite) this.#end()?.settled.resolve()
  }

  close(error: ConclaveError): void {
    this.#end()?.settled.reject(error)
  }

  async #propose(): Promise<void> {
    const wish = this.#wish
    const group = this.#host.group()
    if (wish === undefined || group === undefined || group.public.reInit !== undefined) return
    const { cipherSuite } = wish
    if (wish.proposed.some((proposed) => equalBytes(group.groupId, proposed))) {
      // We have come into it without a Welcome.
      this.#end()?.settled.resolve()
      return
    }
    const unable = group.members.filter(
      ({ leafNode }) => !leafNode.capabilities.cipherSuites.includes(cipherSuite),
    )
    if (unable.length > 0) {
      const who = unable.map(described)
      const message = `not everybody can do cipher suite ${cipherSuite}`
      this.#end()?.settled.reject(new MembersUnreadyError('suite-unsupported', message, who))
      return
    }
    if (proposedReInit(group.public) !== undefined || !this.#isWorthAsking(group, wish)) return
    const now = this.#options.clock.now()
    const groupId = this.#options.random(groupIdBytes)
    const asked = { at: now, all: keysOf(group), silent: new Set<string>() }
    this.#wish = { ...wish, proposed: [...wish.proposed, groupId], asked }
    const message = await group.propose({
      proposalType: ProposalType.reInit,
      groupId,
      version: ProtocolVersion.mls10,
      cipherSuite,
      extensions: group.groupContext.extensions,
    })
    try {
      const reply = await this.#options.link.request('propose', { groupId: group.groupId, message })
      if (reply.ok) return
      const error = refusal(reply)
      const isLate = reply.code === 'epoch-mismatch' || reply.code === 'group-continued'
      if (isLate || isTransient(error)) this.#retryLater(retryMs)
      else if (this.#wish?.settled === wish.settled) this.#end()?.settled.reject(error)
    } catch (error) {
      // With the next connection it goes on.
      if (this.#wish !== undefined) this.#wish = { ...this.#wish, asked: wish.asked }
      if (!(error instanceof SessionError && isUnreachable(error))) throw error
    }
  }

  /** Whether one of the members may answer who has not been asked, or all have answered who were. */
  #isWorthAsking(group: Group, { asked }: Wish): boolean {
    const keys = keysOf(group)
    const isNew = [...keys].some((key) => !asked.all.has(key))
    const isSilent = [...asked.silent].some((key) => keys.has(key))
    const wait = asked.at + askAgainMs - this.#options.clock.now()
    if (isNew || !isSilent || wait <= 0) return true
    this.#retryLater(wait)
    return false
  }

  #retryLater(ms: number): void {
    this.#cancelRetry?.()
    this.#cancelRetry = this.#options.clock.setTimer(ms, () => {
      this.#cancelRetry = undefined
      this.goOn()
    })
  }

  #timedOut(): void {
    const group = this.#host.group()
    // It has been committed, and there is no way back.
    if (group?.public.reInit !== undefined) return
    this.noteSilent()
    const silent = this.#wish?.asked.silent ?? new Set()
    const members = (group?.members ?? []).filter((member) => silent.has(keyOf(member)))
    const who = members.map(described)
    const message = 'not everybody has prepared for the next group in time'
    this.#end()?.settled.reject(new MembersUnreadyError('members-silent', message, who))
  }

  #end(): Wish | undefined {
    const wish = this.#wish
    wish?.cancelTimeout()
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#wish = undefined
    return wish
  }
}

function keyOf({ leafNode }: Member): string {
  return toHex(leafNode.signatureKey)
}

function keysOf({ members }: Group): ReadonlySet<string> {
  return new Set(members.map(keyOf))
}

function described({ leafIndex: leaf, leafNode }: Member): UnreadyMember {
  return { leaf, ...namedDevice(leafNode) }
}
