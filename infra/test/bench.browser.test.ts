import { expect, it } from 'vitest'
import { bench } from './bench.ts'

it('core and the floor are measured in Chromium', () => {
  const work = ['--members', '4', '--only', 'join,protect', '--rounds', '2']
  const { status, stdout, stderr } = bench(['mls', '--in', 'chromium', '--json', ...work])
  expect([status, stderr.split('\n').filter((line) => line.startsWith('✗'))]).toEqual([0, []])
  const [head, ...lines] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(head).toMatchObject({
    provider: 'WebCrypto in Chromium',
    versions: { chromium: expect.stringMatching(/^[0-9]+[.]/), conclave: expect.any(String) },
  })
  const times = lines.filter(({ unit }) => unit === 'ms')
  const inOrder = times.map((line) => `${line.op} ${line.case}`)
  expect(inOrder).toEqual(['join cold', 'join warm', 'protect warm'])
  for (const line of times) {
    expect(line).toMatchObject({
      value: expect.any(Number),
      floor: expect.any(Number),
      rounds: { conclave: 2, floor: 2 },
    })
  }
})
