import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { threeMembers } from '../examples/threeMembers.ts'

it('the example of three members has them export one key, in at most 40 lines', async () => {
  const keys = await threeMembers({ now: () => Date.now() })
  expect(keys).toHaveLength(3)
  expect(keys[0]).toHaveLength(32)
  expect(keys[1]).toEqual(keys[0])
  expect(keys[2]).toEqual(keys[0])
  const source = readFileSync(new URL('../examples/threeMembers.ts', import.meta.url), 'utf8')
  expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(40)
})
