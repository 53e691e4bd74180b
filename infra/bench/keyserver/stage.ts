import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { toHex } from '@conclave/core/codec'
import type { ExternalSender } from '@conclave/core/wire'
import { systemClock, systemRandom } from '@conclave/keyserver'
import type { Socket } from 'socket.io-client'
import { RedisServer } from '../../../keyserver/test/support/redisServer.ts'
import { BenchError } from '../benchError.ts'
import type { BareProcess, BareQuestions } from './bareProcess.ts'
import { Child } from './child.ts'
import { connect, enter, namespaceOf } from './clients.ts'
import type { KeyserverProcess, KeyserverQuestions } from './keyserverProcess.ts'

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

/** @throws BenchError `bench-server-failed` */
export async function openStage(store: StoreName): Promise<Stage> {
  const redis = store === 'redis' ? await startRedis() : undefined
  const redisUrl = redis?.url
  const secret = toHex(systemRandom(32))
  const wanted: KeyserverProcess = { redisUrl, secret }
  const floor: BareProcess = { redisUrl }
  const keyserver = await Child.start<KeyserverQuestions>('keyserverProcess.ts', wanted)
  const bare = await Child.start<BareQuestions>('bareProcess.ts', floor)
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

async function startRedis(): Promise<RedisServer> {
  try {
    return await RedisServer.start()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BenchError('bench-server-failed', `redis-server cannot be started: ${reason}`)
  }
}
