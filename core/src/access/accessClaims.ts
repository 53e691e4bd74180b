import { parentMeetingOf } from '../meeting/roomId.ts'
import { AccessError } from './accessError.ts'

/**
 * What a token lets its bearer do. An absent grant is not given.
 *
 * - `join`: take part in the meeting's group through the keyserver, and connect to the SFU
 * - `publish`: send media through the SFU
 * - `subscribe`: receive media from the SFU
 * - `invite`: take other people's KeyPackages from the directory, to add them while they are away
 * - `remove`: have the keyserver propose to remove people from the meeting, as a host
 * - `manage`: what the app's backend may: list, inspect and end meetings, remove people, issue tokens
 */
export interface Grants {
  readonly join?: boolean
  readonly publish?: boolean
  readonly subscribe?: boolean
  readonly invite?: boolean
  readonly remove?: boolean
  readonly manage?: boolean
}

export type Grant = keyof Grants

export const GRANT_NAMES: readonly Grant[] = [
  'join',
  'publish',
  'subscribe',
  'invite',
  'remove',
  'manage',
]

/** The meeting of a token that is good for every meeting. */
export const ANY_MEETING = '*'

/** Longest identity and meeting id, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 256

/** What a verified token says. Only the verifier makes these. */
export interface AccessClaims {
  readonly identity: string
  /** A meeting id, or `*` for every meeting. */
  readonly meeting: string
  readonly grants: Grants
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/** Claims with the time from which they hold. */
export interface TimedClaims {
  readonly claims: AccessClaims
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number | undefined
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_LENGTH
}

/** Reads claims from a payload whose signature has been checked; undefined if they are not ours. */
export function parseClaims(payload: Readonly<Record<string, unknown>>): TimedClaims | undefined {
  const { sub, meeting, grants, exp, nbf } = payload
  if (!isName(sub) || !isName(meeting)) return undefined
  if (!isTime(exp) || !(nbf === undefined || isTime(nbf))) return undefined
  const parsedGrants = parseGrants(grants)
  if (parsedGrants === undefined) return undefined
  return {
    claims: { identity: sub, meeting, grants: parsedGrants, expiresAt: exp * 1000 },
    notBefore: nbf === undefined ? undefined : nbf * 1000,
  }
}

/** NumericDate of RFC 7519 §2, in seconds. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

/** Grants that this version does not know are left out: they give nothing here. */
function parseGrants(value: unknown): Grants | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const given = new Map<string, unknown>(Object.entries(value))
  const grants: { -readonly [G in Grant]?: boolean } = {}
  for (const name of GRANT_NAMES) {
    const grant = given.get(name)
    if (grant === undefined) continue
    if (typeof grant !== 'boolean') return undefined
    grants[name] = grant
  }
  return grants
}

/**
 * A meeting's token is good for its breakout rooms, too.
 * @throws AccessError `token-wrong-meeting`
 */
export function requireMeeting(claims: AccessClaims, meeting: string): void {
  const named = [ANY_MEETING, meeting, parentMeetingOf(meeting)]
  if (!named.includes(claims.meeting)) {
    throw new AccessError('token-wrong-meeting', 'the access token is for another meeting')
  }
}

/** @throws AccessError `token-grant-missing` */
export function requireGrant(claims: AccessClaims, grant: Grant): void {
  if (claims.grants[grant] !== true) {
    throw new AccessError('token-grant-missing', `the access token does not grant "${grant}"`)
  }
}
