import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { repository } from '../../entry/repository.mjs'
import { actions } from '../../sim/actions.ts'
import { readArguments } from '../../sim/arguments.ts'
import { planOf } from '../../sim/plan.ts'
import { planFor, replayOf } from '../../sim/report.ts'
import { simulate } from '../../sim/simulate.ts'

describe('a run', () => {
  it('goes the same way every time, down to each message', async () => {
    const plan = planOf(7, 5, 25)
    const [first, second] = [await simulate(plan), await simulate(plan)]
    expect(first.trace.length).toBeGreaterThan(100)
    expect(second.trace).toEqual(first.trace)
    expect(second.digest).toBe(first.digest)
    expect(second.coverage.faults()).toEqual(first.coverage.faults())
  })

  it('goes another way with another seed', async () => {
    const [one, other] = [await simulate(planOf(1, 3, 8)), await simulate(planOf(2, 3, 8))]
    expect(one.digest).not.toBe(other.digest)
  })

  it('ends with everybody having been in, and the group gone', async () => {
    const { violation, coverage } = await simulate(planOf(3, 4, 12))
    expect(violation).toBeUndefined()
    expect(coverage.counts()).toMatchObject({ 'ended: left': expect.any(Number) })
  })

  it('is planned from its seed, of all the actions that there are', () => {
    const planned = Array.from({ length: 60 }, (_, seed) => planOf(seed, 5, 30)).flatMap(
      ({ steps }) => steps.map(({ action }) => action),
    )
    expect(new Set(planned)).toEqual(new Set(actions.map(({ name }) => name)))
    expect(planOf(5, 4, 20)).toEqual(planOf(5, 4, 20))
  })
})

describe('npm run sim', () => {
  it('replays what is left of a run', () => {
    const whole = planOf(9, 4, 12)
    const left = whole.steps.filter(({ place }) => place % 3 === 0)
    const plan = { ...whole, steps: left.with(1, { ...left[1], thenMs: 5 } as (typeof left)[0]) }
    const command = replayOf({ plan, stepCount: 12 })
    const wanted = readArguments(command.split(' ').slice(4))
    expect(wanted).toMatchObject({ seed: 9, members: 4, steps: 12, trace: true })
    expect(planFor(9, 4, 12, wanted?.only)).toEqual(plan)
  })

  it.each([
    ['a seed that is no number', ['--seed', 'x']],
    ['nobody', ['--members', '0']],
    ['a step without its pause', ['--only', '3']],
    ['an unknown option', ['--fast']],
  ])('refuses %s', (_what, args) => {
    expect(() => readArguments(args)).toThrow(
      expect.objectContaining({ code: 'sim-arguments-wrong' }),
    )
  })

  it('says as JSON what all runs have been through', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        join(repository, 'infra', 'sim', 'sim.mjs'),
        ...['--runs', '2', '--members', '3', '--steps', '8', '--json'],
      ],
      { cwd: repository },
    )
    const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    expect(summary).toMatchObject({ sim: 'summary', runs: 2, failed: 0 })
    expect(summary.counts).toMatchObject({ 'groups entered': expect.any(Number) })
    expect(summary.faults['enter granted']).toBeDefined()
  })
})
