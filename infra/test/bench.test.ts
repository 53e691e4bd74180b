import { describe, expect, it } from 'vitest'
import type { Bytes } from '../../core/src/codec/bytes.ts'
import { Secret } from '../../core/src/crypto/secret/index.ts'
import { readArguments } from '../bench/arguments.ts'
import { enterAll } from '../bench/benchmark.ts'
import { conclaveOver } from '../bench/conclave.ts'
import { floor, pooled, pooledFloor, providers } from '../bench/contestants.ts'
import type { KemKey, Primitives } from '../bench/floorPrimitives.ts'
import { heapPerState, measure, median, type Timing } from '../bench/measure.ts'
import { type Contestant, type Entrant, operations, type Trial } from '../bench/operations.ts'
import { suite1 } from '../bench/people.ts'
import * as primitives from '../bench/primitives.ts'
import { markdownReport, tableReport } from '../bench/report.ts'
import { pathShapes } from '../bench/shapes.ts'
import { tsMls } from '../bench/tsMls.ts'
import * as webPrimitives from '../bench/webPrimitives.ts'
import { buildWorld } from '../bench/world.ts'
import { bench } from './bench.ts'

const conclave = conclaveOver(providers.node)

describe('npm run bench -- mls', () => {
  it('prints one JSON object a line, for every operation, beside ts-mls and the floor', () => {
    const sizes = ['--members', '4,5', '--rounds', '1']
    const { status, stdout, stderr } = bench(['mls', '--vs', 'ts-mls', '--json', ...sizes])
    expect([status, stderr.split('\n').filter((line) => line.startsWith('✗'))]).toEqual([0, []])
    const [head, ...lines] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(head).toMatchObject({
      bench: 'mls',
      machine: { cores: expect.any(Number), cpu: expect.any(String) },
      provider: 'node:crypto',
      versions: { node: expect.any(String), 'ts-mls': '1.6.4', conclave: expect.any(String) },
      commit: expect.any(String),
    })
    const times = lines.filter(({ unit }) => unit === 'ms')
    expect(new Set(times.map(({ op }) => op))).toEqual(new Set(operations))
    for (const n of [4, 5]) {
      expect(
        times.find((line) => line.op === 'join' && line.n === n && line.case === 'warm'),
      ).toEqual({
        bench: 'mls',
        op: 'join',
        n,
        case: 'warm',
        unit: 'ms',
        ...join1,
        least: join1,
        cpu: join1,
        leastCpu: join1,
        rounds: { conclave: 1, 'ts-mls': 1, floor: 1, 'floor, pooled': 1 },
      })
    }
    for (const line of times) expect(line).toMatchObject({ value: positive, floor: positive })
    const bytes = lines.filter(({ unit }) => unit === 'bytes')
    const commits = bytes.filter(({ op }) => op === 'update: commit')
    expect(commits).toHaveLength(4)
    // The same work gives messages of the same length.
    for (const { value, peers } of commits) expect(peers['ts-mls']).toBe(value)
    expect(bytes.map(({ op }) => op)).toContain('heap for a state')
  })

  it('explains itself', () => {
    const { status, stdout } = bench(['--help'])
    expect(status).toBe(0)
    expect(stdout).toContain('npm run bench -- mls')
  })

  it.each([
    [[]],
    [['sframe']],
    [['mls', '--members', '3']],
    [['mls', '--members', '8,x']],
    [['mls', '--only', 'leave']],
    [['mls', '--vs', 'openmls']],
    [['mls', '--rounds', '0']],
    [['mls', '--json', '--markdown']],
    [['mls', '--fast']],
    [['mls', '--provider', 'openssl']],
    [['mls', '--in', 'firefox']],
    [['mls', '--in', 'chromium', '--provider', 'web']],
    [['mls', '--in', 'chromium', '--vs', 'ts-mls']],
  ])('refuses the arguments %j', (args) => {
    expect(() => readArguments(args)).toThrowError(
      expect.objectContaining({ code: 'bench-arguments-wrong' }),
    )
  })

  it('measures small groups where large ones take long', () => {
    const members = (...args: readonly string[]) => readArguments(['mls', ...args])?.members
    expect(members()).toEqual([8, 32, 100, 200, 500, 1000])
    expect(members('--in', 'chromium')).toEqual([100, 500])
    expect(members('--provider', 'noble')).toEqual([100])
  })

  it('says what is wrong with its arguments and exits with 2', () => {
    const { status, stderr } = bench(['mls', '--members', '3'])
    expect(status).toBe(2)
    expect(stderr).toContain(
      "bench-arguments-wrong: --members takes numbers from 4 to 5000, not '3'",
    )
  })

  it('says where a Chromium comes from when there is none', () => {
    const { status, stderr } = bench(['mls', '--in', 'chromium'], { CHROMIUM_BIN: '/nowhere' })
    expect(status).toBe(1)
    expect(stderr).toContain(
      "bench-chromium-missing: there is no chromium: install Debian's package",
    )
  })
})

const positive = expect.any(Number)
const join1 = {
  value: positive,
  floor: positive,
  pooledFloor: positive,
  peers: { 'ts-mls': positive },
}

describe('contestants', () => {
  it.each([
    [4, 'warm'],
    [5, 'cold'],
    [9, 'warm'],
  ] as const)('join the same group of %i, %s, and follow it', async (members, kind) => {
    const world = await buildWorld(members, kind)
    const entrants = await enterAll([conclave, tsMls, floor, pooledFloor], world)
    const exported = [...entrants.values()].flatMap((entrant) => entrant.exported ?? [])
    expect(exported).toHaveLength(2)
    for (const operation of operations) await measure(entrants, operation, 2)
    for (const { agree } of entrants.values()) expect(await agree?.()).not.toBe(false)
  })

  it.each(['web', 'noble'] as const)('join it with the provider %s', async (provider) => {
    const world = await buildWorld(4, 'warm')
    const entrants = await enterAll([conclaveOver(providers[provider]), tsMls, floor], world)
    for (const operation of operations) await measure(entrants, operation, 1)
    for (const { agree } of entrants.values()) expect(await agree?.()).not.toBe(false)
  })

  it('are found out when they derive another secret', async () => {
    const world = await buildWorld(4, 'cold')
    const liar: Contestant = {
      name: 'liar',
      enter: async () => ({ trials: {}, sizes: {}, exported: '00' }),
    }
    await expect(enterAll([conclave, liar], world)).rejects.toMatchObject({
      code: 'bench-contestants-disagree',
    })
  })

  it('are found out when they do something else', async () => {
    const world = await buildWorld(4, 'warm')
    const { trials } = await conclave.enter(world)
    const idle: Trial = { ...(trials.join as Trial), prepare: async () => () => undefined }
    const entrants = new Map<string, Entrant>([['idle', { trials: { join: idle }, sizes: {} }]])
    await expect(measure(entrants, 'join', 1)).rejects.toMatchObject({
      code: 'bench-work-not-done',
    })
  })

  it('take turns', async () => {
    const turns: string[] = []
    const entrant = (name: string): Entrant => ({
      trials: {
        exporter: { prepare: async () => () => turns.push(name), check: () => {}, repetitions: 2 },
      },
      sizes: {},
    })
    const entrants = new Map(['a', 'b'].map((name) => [name, entrant(name)]))
    const timings = await measure(entrants, 'exporter', 2)
    expect(turns).toEqual(['a', 'b', 'a', 'b'])
    expect(timings.get('b')).toMatchObject({ rounds: 2, median: expect.any(Number) })
  })
})

describe('the floor', () => {
  it.each([
    ['in one call', primitives.platformKem],
    ['composed', primitives.composedKem],
  ])('encapsulates as HPKE does, %s', (_, kem) => {
    const recipient = primitives.deriveKeyPair(new Uint8Array(32))
    const { kemOutput, sharedSecret } = kem.encapsulate(recipient.publicKey)
    for (const other of [primitives.platformKem, primitives.composedKem]) {
      expect(bytes(other.decapsulate(recipient, kemOutput))).toEqual(bytes(sharedSecret))
    }
  })

  it('does what the suite does, with node:crypto', () => expectSuite1(primitives))
  it('does what the suite does, with its pool', () => expectSuite1(pooled))
  it('does what the suite does, with WebCrypto', () => expectSuite1(webPrimitives))

  it('counts the keys and ciphertexts of a path as the tree asks for them', async () => {
    const { update, remove, external } = pathShapes(await buildWorld(16, 'warm'))
    expect(update).toEqual({ nodes: 4, seals: 4, known: 1 })
    // The removed leaf's ancestors are blank: its half of the tree is sealed to in three parts.
    expect(remove).toEqual({ nodes: 4, seals: 6, known: 1 })
    expect(external).toMatchObject({ nodes: 1, seals: 1 })
    expect(pathShapes(await buildWorld(16, 'cold')).update).toEqual({
      nodes: 4,
      seals: 15,
      known: 1,
    })
  })
})

describe('worlds', () => {
  it('are warm where every parent with members on both sides has a key', async () => {
    const { tree } = await buildWorld(11, 'warm')
    for (const { leafIndex } of tree.members()) {
      for (const { node } of tree.filteredDirectPath(leafIndex)) {
        expect(node.encryptionKey).toBeDefined()
      }
    }
  })

  it('are cold where only the founder has committed', async () => {
    const { tree } = await buildWorld(11, 'cold')
    expect(tree.parents().map(({ level }) => level)).toEqual([4, 3, 2, 1])
  })
})

describe('the report', () => {
  const timing = (value: number) => ({
    rounds: 3,
    median: value,
    least: value,
    medianCpu: value,
    leastCpu: value,
  })
  const row = (members: number, ours: number) => ({
    operation: 'join' as const,
    members,
    kind: 'warm' as const,
    timings: new Map([
      ['conclave', timing(ours)],
      ['ts-mls', timing(10 * ours)],
      ['floor', timing(ours / 2)],
      ['floor, pooled', timing(ours / 4)],
    ]),
  })
  const run = {
    machine: { platform: 'linux-x64', cpu: 'a CPU', cores: 2, memoryGib: 4 },
    provider: 'node:crypto',
    versions: { node: '24.0.0' },
    commit: 'abc',
  }
  const measured = {
    times: [row(100, 20), row(400, 80)],
    sizes: [
      { what: 'heap', members: 100, kind: 'warm' as const, bytes: new Map([['conclave', 1000]]) },
    ],
  }

  it('shows ratios and growth', () => {
    const report = tableReport(run, measured)
    expect(report).toContain('a CPU, 2 cores')
    expect(cells(report, '100 members', 'join')).toEqual([
      'join',
      '20.00',
      '20.00',
      '20.00',
      '10.00',
      '10.00',
      '5.00',
      '2.00',
      '2.00',
      '200',
      '200',
      '10.00',
    ])
    // Four times the members take four times as long: twice for each doubling.
    expect(cells(report, 'Growth', 'join')).toEqual(['join', '2.00'])
  })

  it('has no columns for what browsers do not tell', () => {
    const { times } = measured
    const inBrowser = times.map((row) => {
      const timings = new Map<string, Timing>()
      for (const [name, { rounds, median, least }] of row.timings) {
        if (name !== 'floor, pooled') timings.set(name, { rounds, median, least })
      }
      return { ...row, timings }
    })
    const report = tableReport(run, { times: inBrowser, sizes: [] })
    expect(cells(report, '100 members', 'operation').slice(0, 7)).toEqual([
      'operation',
      'median',
      'least',
      'floor',
      'least',
      '÷ floor',
      'least ÷ least',
    ])
    expect(cells(report, '100 members', 'join').slice(0, 7)).toEqual([
      'join',
      '20.00',
      '20.00',
      '10.00',
      '10.00',
      '2.00',
      '2.00',
    ])
    expect(cells(report, 'Growth', 'join')).toEqual(['join', '2.00'])
  })

  it('gives tables in Markdown whose rows have as many cells as their heads', () => {
    for (const table of markdownReport(run, measured).split('\n\n')) {
      const widths = table
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .map((line) => line.split('|').length)
      expect(new Set(widths).size).toBeLessThanOrEqual(1)
    }
  })

  function cells(report: string, title: string, first: string): string[] {
    const table = report.split('\n\n').find((part) => part.startsWith(title)) ?? ''
    const line = table.split('\n').find((line) => line.startsWith(first)) ?? ''
    return line.split(/\s{2,}/)
  }
})

it('the median lies in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
})

it('heap is weighed only where garbage can be collected on demand', async () => {
  expect(await heapPerState(async () => new Uint8Array(1000), 8)).toBeUndefined()
})

function bytes(source: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(source)
}

async function expectSuite1<S, V, K extends KemKey>(
  primitives: Primitives<S, V, K>,
): Promise<void> {
  const [seed, info, plaintext] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [
    Bytes,
    Bytes,
    Bytes,
  ]
  const key = await suite1.deriveKeyPair(new Secret(seed.slice()))
  const own = await primitives.deriveKeyPair(seed)
  expect(bytes(own.publicKey)).toEqual(key.publicKey)

  const { kemOutput, ciphertext } = await primitives.hpkeSeal(own.publicKey, info, plaintext)
  const sealed = { kemOutput: bytes(kemOutput), ciphertext: bytes(ciphertext) }
  expect(await suite1.hpkeOpen(key, info, sealed)).toEqual(plaintext)
  const theirs = await suite1.hpkeSeal(own.publicKey, info, plaintext)
  expect(bytes(await primitives.hpkeOpen(own, info, theirs))).toEqual(plaintext)
  expect(bytes(primitives.extract(seed, info))).toEqual(suite1.extract(seed, info))
  expect(bytes(primitives.expand(seed, info))).toEqual(suite1.expand(seed, info, 32))
  expect(bytes(primitives.mac(seed, info))).toEqual(suite1.mac(seed, info))

  const signer = await suite1.importSigner(new Secret(seed.slice()))
  const signature = await primitives.sign(await primitives.signatureKey(seed), info)
  expect(bytes(signature)).toEqual(await signer.sign(info))
  const { publicKey } = signer
  const verifier = await primitives.verificationKey(publicKey)
  expect(await primitives.verify(verifier, info, signature)).toBe(true)
  expect(await primitives.verify(verifier, plaintext, signature)).toBe(false)
  const valid = { publicKey, message: info, signature }
  expect(await primitives.verifyAll([[valid, valid], [valid]])).toBe(true)
  expect(await primitives.verifyAll([[valid], [valid, { ...valid, message: seed }]])).toBe(false)
}
