import { describe, expect, it } from 'vitest'
import { readSframeArguments } from '../bench/sframe/arguments.ts'
import { ourTransforms } from '../bench/sframe/chromium/ourTransforms.ts'
import { expectRoundTrip } from '../bench/sframe/chromium/roundTrip.ts'
import { TransformedTrack } from '../bench/sframe/chromium/transformedTrack.ts'
import { sframeJson, sframeMarkdown, sframeTable } from '../bench/sframe/sframeReport.ts'
import { costsOf } from '../bench/sframe/trackCosts.ts'
import { takeTurns } from '../bench/sframe/turns.ts'
import { bench } from './bench.ts'

describe('npm run bench -- sframe', () => {
  it('prints one JSON object a line, each beside the bare AEAD', () => {
    const work = ['--in', 'node', '--bytes', '160,1200', '--rounds', '1']
    const { status, stdout, stderr } = bench(['sframe', '--json', ...work])
    expect([status, stderr.split('\n').filter((line) => line.startsWith('✗'))]).toEqual([0, []])
    const [head, ...lines] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(head).toMatchObject({
      bench: 'sframe',
      machine: { cores: expect.any(Number), cpu: expect.any(String) },
      versions: { node: expect.any(String), conclave: expect.any(String) },
      commit: expect.any(String),
    })
    for (const line of lines) {
      expect(line).toEqual({
        bench: 'sframe',
        op: expect.any(String),
        n: expect.any(Number),
        case: expect.any(String),
        unit: '1/s',
        value: expect.any(Number),
        floor: expect.any(Number),
        ratio: expect.any(Number),
      })
    }
    for (const platform of ['node:crypto', 'WebCrypto in Node']) {
      const own = lines.filter((line) => line.case === platform)
      expect(own.slice(0, 4).map(({ op, n }) => `${op} ${n}`)).toEqual([
        ...['encrypt 160', 'decrypt 160', 'encrypt 1200', 'decrypt 1200'],
      ])
      const codecs = own.slice(4).map(({ op }) => op.replace(/^(en|de)crypt[.]/, ''))
      expect(new Set(codecs)).toEqual(new Set(['opus', 'vp8', 'h264', 'av1']))
    }
  })

  it('explains itself', () => {
    const { status, stdout } = bench(['sframe', '--help'])
    expect(status).toBe(0)
    for (const option of ['--in', '--only', '--bytes', '--tracks']) expect(stdout).toContain(option)
  })

  it.each([
    [['--in', 'firefox']],
    [['--only', 'audio']],
    [['--bytes', '0']],
    [['--bytes', '70000']],
    [['--rounds', '0']],
    [['--tracks', 'x']],
    [['--seconds', '61']],
    [['--json', '--markdown']],
    [['more']],
  ])('refuses the arguments %j', (args) => {
    expect(() => readSframeArguments(args)).toThrowError(
      expect.objectContaining({ code: 'bench-arguments-wrong' }),
    )
  })
})

it('contestants take turns, and who begins changes', async () => {
  const order: string[] = []
  const contestant = (name: string) => ({
    prepare: async (frames: number) => async () => void order.push(`${name} ${frames}`),
  })
  const turns = { frames: 7, rounds: 4 }
  const rates = await takeTurns(contestant('ours'), contestant('bare'), turns)
  const counted = order.slice(-8)
  expect(counted.slice(0, 4)).toEqual(['ours 7', 'bare 7', 'bare 7', 'ours 7'])
  expect(counted.slice(4)).toEqual(counted.slice(0, 4))
  expect(rates.ratio).toBeGreaterThan(0)
})

describe('whoever is measured beside a peer', () => {
  function passing(change: (data: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) {
    const track = new TransformedTrack()
    const through = new TransformStream({
      transform(frame, controller) {
        frame.data = change(new Uint8Array(frame.data)).buffer
        controller.enqueue(frame)
      },
    })
    void track.readable.pipeThrough(through).pipeTo(track.writable)
    return track
  }

  it.each([160, 1200])('encrypts frames of %d bytes and gets them back', async (bytes) => {
    await expect(expectRoundTrip(ourTransforms(), bytes)).resolves.toBeUndefined()
  })

  it('is found out where frames go out in clear', async () => {
    const inClear = { send: passing((data) => data), receive: passing((data) => data) }
    await expect(expectRoundTrip(inClear, 1200)).rejects.toMatchObject({
      code: 'bench-work-not-done',
    })
    const padded = passing((data) => new Uint8Array([...data, ...new Uint8Array(30)]))
    await expect(expectRoundTrip({ ...inClear, send: padded }, 1200)).rejects.toMatchObject({
      message: 'a frame went out in clear',
    })
  })

  it('is found out where frames do not come back as they were', async () => {
    const { send } = ourTransforms()
    await expect(
      expectRoundTrip({ send, receive: passing((data) => data) }, 1200),
    ).rejects.toMatchObject({ message: 'a frame came back another' })
  })
})

describe('what tracks cost', () => {
  const run = { tracks: 50, frames: 40_000, mediaSeconds: 10 }
  const runs = [
    { ...run, pipeline: 'cipher', cpuSeconds: 2.1 },
    { ...run, pipeline: 'no cipher', cpuSeconds: 1.7 },
    { ...run, pipeline: 'streams alone', cpuSeconds: 1.2 },
  ] as const

  it('is what is saved without the cipher, and without all that is done with frames', () => {
    const costs = costsOf(runs)
    expect(costs.framesPerSecond).toBe(4000)
    expect(costs.cipher).toBeCloseTo(4)
    expect(costs.opening).toBeCloseTo(9)
    expect(costs.total).toBeCloseTo(21)
  })

  it('stands in the report beside frames a second', () => {
    const platform = {
      machine: { platform: 'linux-x64', cpu: 'a CPU', cores: 2, memoryGib: 4 },
      provider: 'node:crypto',
      versions: { node: '24.0.0' },
      commit: 'abc',
    }
    const row = {
      op: 'encrypt',
      n: 160,
      case: 'node:crypto',
      value: 123_456,
      floor: 246_912,
      ratio: 0.5,
    }
    const peer = [{ op: 'decrypt', n: 1200, value: 90_000, floor: 60_000, ratio: 1.5 } as const]
    const measured = { rows: [row], peer, tracks: costsOf(runs) }
    expect(sframeTable(platform, measured)).toMatch(/encrypt +160 +123k +247k +0[.]50/)
    expect(sframeMarkdown(platform, measured)).toContain('| encrypt | 160 | 123k | 247k | 0.50 |')
    expect(sframeMarkdown(platform, measured)).toContain('| decrypt | 1200 | 90k | 60k | 1.50 |')
    expect(sframeMarkdown(platform, measured)).toContain('| cipher | 4.0 |')
    const lines = sframeJson(platform, measured)
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines[2]).toMatchObject({ op: 'decrypt', peers: { 'livekit-client': 60_000 } })
    expect(lines.slice(3).map(({ case: part, value }) => [part, value])).toEqual([
      ['cipher', 4],
      ['opening', 9],
      ['total', 21],
    ])
  })
})
