import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import type { TokenKind } from './cases.ts'

/** What the keyserver under attack checks tokens with. */
export const accessSecret = 'known to the backend and the keyserver of these tests'

const key = new HmacAccessKey(accessSecret)
const otherKey = new HmacAccessKey('known to nobody but whoever made it up just now')

/** A good token for the meeting. */
export function tokenFor(identity: string, meeting: string): Promise<string> {
  const grants = { join: true, publish: true, subscribe: true, invite: true }
  return mintToken({ identity, meeting, grants }, key, systemClock)
}

/** A good token for the backend API, of one meeting. */
export function managingToken(meeting: string): Promise<string> {
  const grants = { manage: true }
  return mintToken({ identity: 'attacker-0', meeting, grants }, key, systemClock)
}

/** What a hostile client presents, as socket.io's `auth`. */
export async function authOf(
  kind: TokenKind,
  identity: string,
  meeting: string,
): Promise<Readonly<Record<string, unknown>>> {
  if (kind === 'none') return {}
  if (kind === 'no-string') return { token: { toString: 'x', length: 3 } }
  return { token: await tokenOf(kind, identity, meeting) }
}

async function tokenOf(
  kind: Exclude<TokenKind, 'none' | 'no-string'>,
  identity: string,
  meeting: string,
): Promise<string> {
  const [, payload = '', signature = ''] = (await tokenFor(identity, meeting)).split('.')
  switch (kind) {
    case 'good':
      return await tokenFor(identity, meeting)
    case 'other-meeting':
      return await tokenFor(identity, 'elsewhere')
    case 'no-join':
      return await mintToken({ identity, meeting, grants: { publish: true } }, key, systemClock)
    case 'expired': {
      const past = { ...systemClock, now: () => systemClock.now() - 86_400_000 }
      return await mintToken({ identity, meeting, ttlSeconds: 60 }, key, past)
    }
    case 'other-key':
      return await mintToken({ identity, meeting }, otherKey, systemClock)
    case 'no-algorithm':
      return `${header({ alg: 'none', typ: 'JWT' })}.${payload}.`
    case 'other-algorithm':
      return `${header({ alg: 'RS256', typ: 'JWT', jwk: { kty: 'oct', k: 'AA' } })}.${payload}.${signature}`
    case 'damaged':
      return `${header({ alg: 'HS256' })}.${payload.slice(1)}.${signature}`
    case 'huge':
      return `${header({ alg: 'HS256' })}.${'A'.repeat(500_000)}.${signature}`
  }
}

function header(fields: object): string {
  return Buffer.from(JSON.stringify(fields)).toString('base64url')
}
