import { HmacAccessKey, mintToken, resolveAccess, type TokenRequest } from '@conclave/core/access'
import { type KeyserverOptions, systemClock, systemRandom } from '@conclave/keyserver'
import { TestServer } from '../../../keyserver/test/support/testServer.ts'
import type { Target } from '../../conformance/site.ts'

/** What all keyservers here sign tokens with. */
export const accessSecret = 'the secret of keyservers under test'

const clock = systemClock
const key = new HmacAccessKey(accessSecret)

export function token(request: TokenRequest, at = clock.now()): Promise<string> {
  return mintToken(request, key, { ...clock, now: () => at })
}

/** A short grace period, and lists that are soon full. */
export const graceMs = 500
const waitingJoiners = 8

/** A keyserver that takes tokens of `accessSecret`. */
export async function keyserver(options: Partial<KeyserverOptions> = {}): Promise<TestServer> {
  const access = await resolveAccess({
    secret: accessSecret,
    host: '127.0.0.1',
    clock,
    randomBytes: systemRandom,
  })
  const limits = { waitingJoiners, ...options.limits }
  return await TestServer.start({ graceMs, ...options, access, limits })
}

export function targetAt(urls: readonly string[], patienceMs: number): Target {
  return { urls, token, tokens: 'any', durable: false, graceMs, waitingJoiners, patienceMs }
}
