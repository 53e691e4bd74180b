import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { toHex } from '@conclave/core/codec'
import type { ExternalSender } from '@conclave/core/wire'
import { type KeyserverLimits, systemClock, systemRandom } from '@conclave/keyserver'
import type { Socket } from 'socket.io-client'
import { Child } from '../../servers/child.ts'
import { startKeyserver } from '../../servers/keyserver.ts'
import type { KeyserverQuestions } from '../../servers/keyserverProcess.ts'
import { startRedis } from '../../servers/redis.ts'
import type { BareProcess, BareQuestions } from './bareProcess.ts'
import { connect, enter, namespaceOf } from './clients.ts'

export type StoreName = 'memory' | 'redis'

/** The keyserver and the floor, each in a process of its own and both on the same Redis. */
export interface Stage {
  readonly keyserver: Child<KeyserverQuestions>
  readonly bare: Child<BareQuestions>
  /** What the keyserver signs removals with. */
  readonly externalSender: ExternalSender
  /** A connection to the keyserver, with a token for the meeting. */
  connect(identity: string, meetingId: string): Promise<Socket>
  connectBare(): Promise<Socket>
  close(): Promise<void>
}

/** Out of the way of one machine that plays everybody. */
const oneMachine: Partial<KeyserverLimits> = {
  connectionAttemptsPerMinute: 1_000_000,
  requestsPerSecond: 1_000_000,
  requestBurst: 1_000_000,
  identityRequestsPerSecond: 1_000_000,
  identityRequestBurst: 1_000_000,
  commitsPerLeaf: 1_000_000,
}

/** Nobody's absence becomes a removal. */
const graceMs = 3_600_000

/** @throws BenchError `bench-server-failed` */
export async function openStage(store: StoreName): Promise<Stage> {
  const redis = store === 'redis' ? await startRedis() : undefined
  const redisUrl = redis?.url
  const secret = toHex(systemRandom(32))
  const floor: BareProcess = { redisUrl }
  const keyserver = await startKeyserver({ redisUrl, secret, limits: oneMachine, graceMs })
  const bare = await Child.start<BareQuestions>(new URL('bareProcess.ts', import.meta.url), floor)
  const url = namespaceOf(await keyserver.ask('port'))
  const bareUrl = namespaceOf(await bare.ask('port'))
  const key = new HmacAccessKey(secret)
  const connectTo = async (identity: string, meeting: string) =>
    connect(url, await mintToken({ identity, meeting }, key, systemClock))

  const first = await connectTo('founder', 'nobody')
  const { externalSender } = await enter(first, 'nobody')
  first.disconnect()
  return {
    keyserver,
    bare,
    externalSender,
    connect: connectTo,
    connectBare: () => connect(bareUrl),
    async close() {
      await keyserver.stop()
      await bare.stop()
      await redis?.stop()
    },
  }
}
