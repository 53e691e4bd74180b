import type { Clock } from '@conclave/core'
import type { KeyserverLimits } from '../limits.ts'
import { clientAddress } from './clientAddress.ts'
import { Rates } from './rates.ts'
import { TokenBucket } from './tokenBucket.ts'

/** Gives back what was taken; called once. */
export type Release = () => void

/**
 * How much one address, identity and meeting have of this process: connections at once, attempts
 * to connect and requests over time. Other instances count for themselves.
 */
export class Admissions {
  readonly #limits: KeyserverLimits
  readonly #trustedProxies: number
  readonly #attempts: Rates
  readonly #requests: Rates
  readonly #messages: Rates
  readonly #addresses = new Counts()
  readonly #identities = new Counts()
  readonly #meetings = new Counts()

  /** @param options `trustedProxies`: how many proxies' word in `X-Forwarded-For` counts */
  constructor(options: {
    readonly limits: KeyserverLimits
    readonly trustedProxies: number
    readonly clock: Pick<Clock, 'now'>
  }) {
    const { limits, trustedProxies, clock } = options
    this.#limits = limits
    this.#trustedProxies = trustedProxies
    const perMinute = limits.connectionAttemptsPerMinute
    this.#attempts = new Rates(() => new TokenBucket(clock, perMinute / 60, perMinute))
    const { identityRequestsPerSecond, identityRequestBurst } = limits
    this.#requests = new Rates(
      () => new TokenBucket(clock, identityRequestsPerSecond, identityRequestBurst),
    )
    const { meetingMessagesPerSecond, meetingMessageBurst } = limits
    this.#messages = new Rates(
      () => new TokenBucket(clock, meetingMessagesPerSecond, meetingMessageBurst),
    )
  }

  /** Whether the address may try once more: to connect, or to ask the backend API. */
  attempt(remoteAddress: string, forwardedFor: string | undefined): boolean {
    return this.#attempts.of(this.#addressOf(remoteAddress, forwardedFor)).take()
  }

  /** Room for one more connection of the address, or undefined. */
  open(remoteAddress: string, forwardedFor: string | undefined): Release | undefined {
    const address = this.#addressOf(remoteAddress, forwardedFor)
    return this.#addresses.take(address, this.#limits.connectionsPerAddress)
  }

  /** Room for one more connection of the identity, or undefined. */
  connect(identity: string): Release | undefined {
    return this.#identities.take(identity, this.#limits.connectionsPerIdentity)
  }

  /** Room for one more connection in the meeting, or undefined. */
  enter(meetingId: string): Release | undefined {
    return this.#meetings.take(meetingId, this.#limits.connectionsPerMeeting)
  }

  /** The rate of the identity's requests. */
  requestsOf(identity: string): TokenBucket {
    return this.#requests.of(identity)
  }

  /** The rate of the meeting's application messages. */
  messagesIn(meetingId: string): TokenBucket {
    return this.#messages.of(meetingId)
  }

  #addressOf(remoteAddress: string, forwardedFor: string | undefined): string {
    return clientAddress(remoteAddress, forwardedFor, this.#trustedProxies)
  }
}

/** How many there are by name; one that has none takes no room. */
class Counts {
  readonly #counts = new Map<string, number>()

  take(name: string, limit: number): Release | undefined {
    const count = this.#counts.get(name) ?? 0
    if (count >= limit) return undefined
    this.#counts.set(name, count + 1)
    return () => {
      const left = (this.#counts.get(name) ?? 0) - 1
      if (left > 0) this.#counts.set(name, left)
      else this.#counts.delete(name)
    }
  }
}
