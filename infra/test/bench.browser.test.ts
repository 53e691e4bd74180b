import { expect, it } from 'vitest'
import { runInChromium } from '../bench/chromium/runInChromium.ts'

it('core and the floor are measured in Chromium', async () => {
  const progress: string[] = []
  const { measured, version } = await runInChromium(
    { members: [4], only: new Set(['join', 'protect']), rounds: 2 },
    (line) => progress.push(line),
  )
  expect(version).toMatch(/^[0-9]+[.]/)
  expect(progress).toContainEqual(expect.stringMatching(/^✓ 4 members, warm: join/))
  const rows = measured.times.map(({ operation, kind }) => `${operation} ${kind}`)
  expect(rows).toEqual(['join cold', 'join warm', 'protect warm'])
  for (const { timings } of measured.times) {
    expect([...timings.keys()]).toEqual(['conclave', 'floor'])
    for (const timing of timings.values()) {
      expect(timing).toEqual({ rounds: 2, median: expect.any(Number), least: expect.any(Number) })
    }
  }
  expect(measured.sizes.map(({ what }) => what)).toContain('ratchet tree')
})
