import type { Clock } from '@conclave/core'
import type { Participant } from './roster.ts'
import type { Arrival, Departure } from './rosterChange.ts'
import type { EndReason } from './sessionEvents.ts'

/** Something that happened to who is in the meeting, or that its user found out about them. */
export type HistoryEvent =
  /** We are in, with these others. */
  | {
      readonly what: 'entered'
      readonly who: Participant
      readonly others: readonly Participant[]
    }
  /** We could not follow the meeting any more. */
  | { readonly what: 'lost-place'; readonly who: Participant }
  /** Somebody, or we, took their place again with the same device. */
  | { readonly what: 'returned'; readonly who: Participant }
  | { readonly what: 'joined'; readonly who: Participant; readonly arrival: Arrival }
  | { readonly what: 'left'; readonly who: Participant; readonly departure: Departure }
  /** `SecureMeeting.verify` and `unverify` by our user: nobody tells others whom they verify. */
  | {
      readonly what: 'verified' | 'unverified'
      readonly who: Participant
      readonly by: Participant
    }
  /** The meeting goes on with new keys of another cipher suite, as `by` has proposed; `who` is we. */
  | {
      readonly what: 'reinitialised'
      readonly who: Participant
      readonly by: Participant | undefined
      readonly cipherSuite: number
    }
  /** A verified identity is here with a device that is not. */
  | { readonly what: 'device-changed'; readonly who: Participant }
  /** The last. */
  | {
      readonly what: 'ended'
      readonly who: Participant
      readonly reason: EndReason
      /** Where we were removed: who asked for it, and who committed it. */
      readonly departure: Departure | undefined
    }

export type HistoryEntry = HistoryEvent & {
  /** Milliseconds since the Unix epoch, by this device's clock. */
  readonly at: number
  readonly epoch: bigint
}

const maxEntries = 1000

/**
 * What a user can read afterwards, when more has happened than could be shown (RFC 9750 §8.4.3.1):
 * the newest thousand events.
 */
export class History {
  readonly #clock: Pick<Clock, 'now'>
  #entries: HistoryEntry[] = []

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** Oldest first. */
  get entries(): readonly HistoryEntry[] {
    return [...this.#entries]
  }

  add(epoch: bigint, event: HistoryEvent): void {
    this.#entries.push({ at: this.#clock.now(), epoch, ...event })
    if (this.#entries.length > maxEntries) this.#entries.shift()
  }
}

/**
 * A line of plain English, without its time. Whatever others call themselves stands in quotation
 * marks, cannot break the line and is cut off where it is long.
 */
export function describeHistory(event: HistoryEvent): string {
  switch (event.what) {
    case 'entered':
      return `You entered the meeting${among(event.others)}.`
    case 'lost-place':
      return 'You could not follow the meeting any more, and tried to enter again.'
    case 'returned':
      return `${subject(event.who)} entered again with the same device.`
    case 'joined':
      return `${subject(event.who)} ${arrived(event.arrival)}.`
    case 'left':
      return `${subject(event.who)} ${departed(event.departure)}.`
    case 'verified':
      return `${subject(event.by)} verified the device of ${object(event.who)}.`
    case 'unverified':
      return `${subject(event.by)} took back the verification of ${object(event.who)}.`
    case 'reinitialised':
      return `The meeting goes on with cipher suite ${event.cipherSuite}, as ${object(event.by)} wanted.`
    case 'device-changed':
      return `${subject(event.who)} is here with a device that you have not verified.`
    case 'ended':
      return event.departure === undefined
        ? ended[event.reason]
        : `You were ${removed(event.departure)}.`
  }
}

const ended: Record<EndReason, string> = {
  left: 'You left the meeting.',
  removed: 'You were removed from the meeting.',
  closed: 'The keyserver ended the meeting.',
  failed: 'The meeting could not go on for you.',
}

function arrived({ way, committedBy }: Arrival): string {
  switch (way) {
    case 'added':
      return `joined, added by ${object(committedBy)}`
    case 'external':
      return 'joined without being added by anybody'
    case 'unseen':
      return 'joined while you were away'
  }
}

function departed(departure: Departure): string {
  switch (departure.reason) {
    case 'left':
      return `left; ${object(departure.committedBy)} changed the keys`
    case 'absent':
      return `was out of touch, and ${removed(departure)}`
    case 'idle':
      return `had renewed no keys for long, and was ${removed(departure)}`
    case 'removed':
      return `was ${removed(departure)}`
    case 'replaced':
      return 'gave up a place for another'
    case 'unseen':
      return 'left while you were away'
  }
}

function removed({ askedBy, requestedBy, committedBy }: Departure): string {
  const request = requestedBy === undefined ? '' : ` at the request of ${object(requestedBy)}`
  const why = `because ${object(askedBy)} asked for it${request}`
  return `removed ${why}; ${object(committedBy)} changed the keys`
}

const maxNamed = 10

function among(others: readonly Participant[]): string {
  if (others.length === 0) return ' as the first'
  const named = others.slice(0, maxNamed).map(object).join(', ')
  const more = others.length - maxNamed
  return ` of ${named}${more > 0 ? ` and ${more} more` : ''}`
}

function subject(who: Participant): string {
  return who.self ? 'You' : quoted(who.identity)
}

function object(who: Participant | 'keyserver' | undefined): string {
  if (who === undefined) return 'somebody'
  if (who === 'keyserver') return 'the keyserver'
  return who.self ? 'you' : quoted(who.identity)
}

const maxNameLength = 64
/** What would end the line, the quotation, or turn the direction of the text around it. */
const disguising = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}“”]/gu

function quoted(identity: string): string {
  const characters = [...identity.replace(disguising, '\ufffd')]
  const cut = characters.length > maxNameLength
  return `“${characters.slice(0, maxNameLength).join('')}${cut ? '…' : ''}”`
}
