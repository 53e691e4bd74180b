import { describe, expect, it } from 'vitest'
import { readArguments } from '../../load/arguments.ts'

describe("the load harness's arguments", () => {
  it('name sizes, store and lengths of the phases', () => {
    const args = ['meeting', '--participants', '50,100', '--redis', '--storm', '5', '--leaves', '3']
    expect(readArguments([...args, '--json', '--svg', 'load.svg'])).toMatchObject({
      participants: [50, 100],
      workload: { store: 'redis', provider: 'node', stormSeconds: 5, churnSeconds: 20, leaves: 3 },
      format: 'json',
      svg: 'load.svg',
    })
  })

  it('ask for a meeting of 150, in memory, where they say nothing', () => {
    expect(readArguments(['meeting'])).toMatchObject({
      participants: [150],
      workload: { store: 'memory', stormSeconds: 10, leaves: 10 },
      format: 'table',
    })
    expect(readArguments(['--help'])).toBeUndefined()
  })

  it.each([
    [[]],
    [['party']],
    [['meeting', 'twice']],
    [['meeting', '--participants', '3']],
    [['meeting', '--participants', '50,']],
    [['meeting', '--processes', '0']],
    [['meeting', '--provider', 'paper']],
    [['meeting', '--storm', '0']],
    [['meeting', '--json', '--markdown']],
    [['meeting', '--fast']],
  ])('are refused where they are %j', (args) => {
    expect(() => readArguments(args)).toThrowError(
      expect.objectContaining({ code: 'bench-arguments-wrong' }),
    )
  })
})
