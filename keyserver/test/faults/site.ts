import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import type { Store } from '../../src/store/store.ts'
import { connectTo } from '../support/redis.ts'
import { RedisServer } from '../support/redisServer.ts'
import type { Trouble } from './attendee.ts'
import type { Chance } from './chance.ts'
import type { Ground } from './crowd.ts'
import { accessSecret, Instances } from './instances.ts'
import { Wire } from './wire.ts'

const accessKey = new HmacAccessKey(accessSecret)

/** Redis with instances of the keyserver over it, ways to them, and a look into the store. */
export class Site implements Ground {
  readonly redis: RedisServer
  readonly instances: Instances
  readonly store: Store
  trouble: Trouble | undefined
  readonly #wires: Wire[] = []

  private constructor(redis: RedisServer, instances: Instances, store: Store) {
    this.redis = redis
    this.instances = instances
    this.store = store
  }

  static async open(options: { readonly count: number; readonly graceMs: number }): Promise<Site> {
    const redis = await RedisServer.start()
    try {
      const instances = await Instances.start(redis, options)
      return new Site(redis, instances, redisStore(await connectTo([redis.url])))
    } catch (error) {
      await redis.stop()
      throw error
    }
  }

  token(identity: string, meeting: string): Promise<string> {
    return mintToken({ identity, meeting }, accessKey, systemClock)
  }

  get complaints(): readonly string[] {
    return this.instances.complaints
  }

  async wire(chance: Chance): Promise<Wire> {
    const wire = await Wire.to(() => {
      const { living } = this.instances
      return living.length === 0 ? undefined : chance.pick(living).port
    })
    this.#wires.push(wire)
    return wire
  }

  async close(): Promise<void> {
    for (const wire of this.#wires) wire.close()
    await this.store.close()
    await this.instances.stop()
    await this.redis.stop()
  }
}
