import { setTimeout as pause } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import type { Site } from './site.ts'

/** Does something to the site and makes it whole again. @returns how often something was hit */
export type Strike = (site: Site, chance: Chance) => Promise<number>

const killInstance: Strike = async ({ instances }, chance) => {
  await instances.replace((living) => chance.pick(living).kill())
  return 1
}

/** As a deployment does, one after the other. */
export const drainInstance: Strike = async ({ instances }, chance) => {
  await instances.replace(async (living) => {
    const code = await chance.pick(living).drain()
    if (code !== 0) throw new Error(`a draining instance ended with ${code}`)
  })
  return 1
}

const killRedis: Strike = async ({ redis }, chance) => {
  await redis.kill()
  await pause(chance.between(0, 500))
  await redis.restart()
  return 1
}

/** For one instance or for all of them; connections break, or nothing comes any more. */
const cutOffRedis: Strike = async ({ redis, instances }, chance) => {
  if (chance.happens(0.3)) {
    redis.freeze()
    await pause(chance.between(100, 3_000))
    redis.thaw()
    return 1
  }
  const { living } = instances
  const cutOff = chance.happens(0.5) ? living : [chance.pick(living)]
  for (const instance of cutOff) instance.redis.down()
  await pause(chance.between(100, 1_500))
  for (const instance of cutOff) instance.redis.up()
  return cutOff.length
}

const troubleMs = 700

/** The keyserver has the commit, and its answer never comes. */
const cutBeforeAck: Strike = async (site, chance) => {
  let hits = 0
  site.trouble = async (wire, request, send) => {
    if (request !== 'commit' || !chance.happens(0.7)) return await send()
    hits += 1
    wire.swallowReplies()
    const answer = send()
    answer.catch(() => {})
    await pause(chance.between(0, 60))
    wire.cut()
    return await answer
  }
  await pause(troubleMs)
  site.trouble = undefined
  return hits
}

/** Requests overtake one another, and come twice. */
const repeatAndReorder: Strike = async (site, chance) => {
  let hits = 0
  site.trouble = async (_, __, send) => {
    await pause(chance.between(0, 40))
    const answer = send()
    if (chance.happens(0.5)) {
      hits += 1
      await pause(chance.between(0, 20))
      send().catch(() => {})
    }
    return await answer
  }
  await pause(troubleMs)
  site.trouble = undefined
  return hits
}

export const strikes = {
  'an instance is killed': killInstance,
  'Redis is killed': killRedis,
  'Redis cannot be reached': cutOffRedis,
  'clients are cut off between commit and answer': cutBeforeAck,
  'requests come twice and in another order': repeatAndReorder,
} satisfies Record<string, Strike>
