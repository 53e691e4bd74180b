import { HmacAccessKey, mintToken, resolveAccess, type TokenRequest } from '@conclave/core/access'
import {
  commonRemovalSigner,
  type KeyserverOptions,
  systemClock,
  systemRandom,
} from '@conclave/keyserver'
import { onTestFinished } from 'vitest'
import { redisDirectory } from '../../../keyserver/src/directory/redis/redisDirectory.ts'
import { redisFanout } from '../../../keyserver/src/store/redis/fanout.ts'
import { redisStore } from '../../../keyserver/src/store/redis/redisStore.ts'
import {
  connectForTest,
  redisForTest,
  silentLogger,
} from '../../../keyserver/test/support/redis.ts'
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
/** Longer than any check takes that does not wait for it. */
export const idleMs = 10_000
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
  return await TestServer.start({ graceMs, idleMs, ...options, access, limits })
}

/** Instances of one keyserver over one Redis that is as durable as production asks for. */
export async function redisKeyservers(count: number): Promise<readonly TestServer[]> {
  const { url } = await redisForTest()
  const instances: TestServer[] = []
  for (let instance = 0; instance < count; instance++) {
    const redis = await connectForTest([url])
    const store = redisStore(redis)
    const fanout = await redisFanout(redis, { clock, logger: silentLogger })
    onTestFinished(() => fanout.close())
    const removalSigner = await commonRemovalSigner(globalThis.crypto.subtle, store)
    const directoryStore = redisDirectory(redis)
    const { adapter } = fanout
    instances.push(await keyserver({ store, removalSigner, directoryStore, adapter }))
  }
  return instances
}

export function targetAt(urls: readonly string[], patienceMs: number): Target {
  const times = { graceMs, idleMs, patienceMs }
  return { urls, token, tokens: 'any', durable: false, waitingJoiners, ...times }
}
