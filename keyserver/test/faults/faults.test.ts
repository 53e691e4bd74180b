import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { report, runsOr, seed } from '../../../core/test/campaign.ts'
import { redisMissing } from '../support/redisServer.ts'
import { Chance } from './chance.ts'
import { Crowd } from './crowd.ts'
import { Racers } from './racers.ts'
import { Site } from './site.ts'
import { drainInstance, type Strike, strikes } from './strikes.ts'

/* A run is had again, but for the timing, with CONCLAVE_SEED and CONCLAVE_RUNS in the environment. */

const rounds = runsOr(5)
const regulars = 3
const graceMs = 5_000
/** Longer than a crowd waits to be alone: what it says then tells who was missing. */
const aloneTimeoutMs = 240_000

describe.skipIf(redisMissing)(`a meeting over three instances (seed ${seed})`, () => {
  let site: Site
  const crowds: Crowd[] = []
  beforeAll(async () => {
    site = await Site.open({ count: 3, graceMs })
  })
  afterAll(() => site?.close())

  async function gather(name: string, count: number): Promise<Crowd> {
    const crowd = new Crowd(site, name)
    crowds.push(crowd)
    await crowd.gather(new Chance(seed, name), count)
    return crowd
  }

  /** A fault while visitors come and go. @returns how often it hit something */
  async function round(crowd: Crowd, chance: Chance, strike: Strike): Promise<number> {
    const stop = crowd.load(chance.of('load'))
    await pause(chance.between(50, 500))
    const hits = await strike(site, chance.of('strike'))
    await stop()
    await crowd.letIn(chance.of('newcomer'))
    await crowd.settled()
    return hits
  }

  async function goesOn(
    context: TestContext,
    name: string,
    strike: Strike,
    times = rounds,
  ): Promise<void> {
    const crowd = await gather(name, regulars)
    let hits = 0
    for (let i = 0; i < times; i++) {
      hits += await round(crowd, new Chance(seed, name, i), strike)
      expect(await crowd.findings(), `round ${i}`).toEqual([])
    }
    expect(hits).toBeGreaterThan(0)
    await site.instances.complete()
    report(context, { rounds: times, hits, ...crowd.figures })
  }

  it.for(Object.entries(strikes))('goes on when %s', async ([name, strike], context) => {
    await goesOn(context, name, strike)
  })

  it('goes on when an instance is asked to stop', async (context) => {
    await goesOn(context, 'an instance is asked to stop', drainInstance, Math.ceil(rounds / 3))
  })

  it('goes on when instances race commits', async (context) => {
    const name = 'instances race commits'
    const crowd = await gather(name, regulars - 1)
    const racers = await Racers.enter(site, name, crowd.observations)
    crowd.expect(racers.identities)
    let races = 0
    for (let i = 0; i < rounds; i++) {
      const chance = new Chance(seed, name, i)
      const wrong: string[] = []
      let over = false
      const race = async (luck: Chance) => {
        for (; !over; races++) wrong.push(...(await racers.race(luck)))
      }
      const raced = race(chance.of('race'))
      await round(crowd, chance, async () => 0)
      over = true
      await raced
      await crowd.settled()
      expect([...wrong, ...(await crowd.findings())], `round ${i}`).toEqual([])
    }
    racers.leave()
    crowd.expect([])
    report(context, { rounds, races, ...crowd.figures })
  })

  it('has lost in the end everybody who could not say goodbye', {
    timeout: aloneTimeoutMs,
  }, async () => {
    await Promise.all(crowds.map((crowd) => crowd.settled({ alone: true })))
    for (const crowd of crowds) expect(await crowd.findings(), crowd.meetingId).toEqual([])
    await Promise.all(crowds.map((crowd) => crowd.disperse()))
  })
})
