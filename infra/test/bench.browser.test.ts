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

it('frames, transforms beside a peer’s, and tracks that a worker receives are measured in Chromium', () => {
  const work = ['--bytes', '160', '--rounds', '1', '--tracks', '2', '--seconds', '1']
  const { status, stdout, stderr } = bench(['sframe', '--in', 'chromium', '--json', ...work])
  expect([status, stderr.split('\n').filter((line) => line.startsWith('✗'))]).toEqual([0, []])
  const [head, ...lines] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(head.versions).toMatchObject({ chromium: expect.stringMatching(/^[0-9]+[.]/) })
  const [encrypt, decrypt, ...others] = lines
  for (const line of [encrypt, decrypt]) {
    expect(line).toMatchObject({ n: 160, case: 'WebCrypto in Chromium', value: expect.any(Number) })
  }
  const peers = others.filter((line) => line.peers !== undefined)
  expect(peers.map(({ op, n, case: where }) => [op, n, where])).toEqual([
    ['encrypt', 160, 'transforms in Chromium'],
    ['decrypt', 160, 'transforms in Chromium'],
  ])
  for (const { value, peers: theirs } of peers) {
    expect([value, theirs['livekit-client']]).toEqual([expect.any(Number), expect.any(Number)])
  }
  expect(head.versions['livekit-client']).toMatch(/^[0-9]+[.]/)
  const tracks = others.filter(({ op }) => op === 'tracks')
  expect(tracks.map(({ n, case: part }) => [n, part])).toEqual([
    [2, 'cipher'],
    [2, 'opening'],
    [2, 'total'],
  ])
})
