import { setTimeout as pause } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import type { Instance } from './instances.ts'
import type { Site } from './site.ts'
import type { Wire } from './wire.ts'

/** Does something to the site and makes it whole again. @returns how often something was hit */
export type Strike = (site: Site, chance: Chance) => Promise<number>

/** How long to wait for a commit. */
const patienceMs = 1_000
/** How long a commit takes until all have it, in milliseconds, and a little more. */
const commitMs = 30

/**
 * When to strike: at any time, or while a commit is on its way.
 * @returns the instance that has the commit, or any
 */
async function moment(site: Site, chance: Chance): Promise<Instance> {
  const { living } = site.instances
  const any = chance.pick(living)
  if (chance.happens(0.3)) return any
  const committing = Promise.withResolvers<Wire>()
  site.trouble = async (wire, request, send) => {
    if (request === 'commit') committing.resolve(wire)
    return await send()
  }
  const wire = await Promise.race([committing.promise, pause(patienceMs, undefined)])
  site.trouble = undefined
  await pause(chance.between(0, commitMs))
  return living.find(({ port }) => port !== undefined && port === wire?.target) ?? any
}

const killInstance: Strike = async (site, chance) => {
  await site.instances.replace(async () => (await moment(site, chance)).kill())
  return 1
}

/** As a deployment does, one after the other. */
export const drainInstance: Strike = async (site, chance) => {
  await site.instances.replace(async () => {
    const code = await (await moment(site, chance)).drain()
    if (code !== 0) throw new Error(`a draining instance ended with ${code}`)
  })
  return 1
}

const killRedis: Strike = async (site, chance) => {
  await moment(site, chance)
  await site.redis.kill()
  await pause(chance.between(0, 500))
  await site.redis.restart()
  return 1
}

/**
 * For one instance or for all of them: connections break, their answers do not come any more and
 * then they break, or Redis stands still.
 */
const cutOffRedis: Strike = async (site, chance) => {
  const kind = chance.pick(['down', 'silent', 'silent', 'frozen'])
  const instance = await moment(site, chance)
  if (kind === 'frozen') {
    site.redis.freeze()
    await pause(chance.between(100, 3_000))
    site.redis.thaw()
    return 1
  }
  const cutOff = chance.happens(0.5) ? site.instances.living : [instance]
  if (kind === 'silent') {
    for (const { redis } of cutOff) redis.swallowReplies()
    await pause(chance.between(0, 500))
  }
  for (const { redis } of cutOff) redis.down()
  await pause(chance.between(100, 1_000))
  for (const { redis } of cutOff) redis.up()
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
    await pause(chance.between(0, 2 * commitMs))
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
    answer.catch(() => {})
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
