import type { Bytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SessionStore } from '../../src/index.ts'

/** What one store lies in: a directory, a database. */
export interface Medium {
  /** A store on this medium as a later process finds it; all that lasts is in the medium. */
  open(): SessionStore
}

export interface ContractOptions {
  /** An empty medium, which the caller removes. */
  readonly medium: () => Promise<Medium>
  readonly runs: number
}

type Changes = Map<string, Bytes | undefined>

type Step =
  | { readonly kind: 'write'; readonly changes: Changes; readonly awaited: boolean }
  | { readonly kind: 'read'; readonly key: string }
  | { readonly kind: 'readOrWrite'; readonly key: string; readonly value: Bytes }
  | { readonly kind: 'keys'; readonly prefix: string }
  | { readonly kind: 'reopen' }

/** What every session store does, whatever it lies in. */
export function holdsTheContract({ medium, runs }: ContractOptions): void {
  it('gives back what was written, and nothing for any other key', async () => {
    const store = (await medium()).open()
    await store.write(changes({ a: bytes(1, 2, 3), empty: bytes() }))
    expect(await store.read('a')).toEqual(bytes(1, 2, 3))
    expect(await store.read('empty')).toEqual(bytes())
    expect(await store.read('A')).toBeUndefined()
    expect(await store.read('')).toBeUndefined()
  })

  it('replaces and deletes', async () => {
    const store = (await medium()).open()
    await store.write(changes({ a: bytes(1), b: bytes(2) }))
    await store.write(changes({ a: undefined, b: bytes(3), never: undefined }))
    expect(await store.read('a')).toBeUndefined()
    expect(await store.read('b')).toEqual(bytes(3))
    expect(await store.keys('')).toEqual(['b'])
  })

  it('gives all who make a value at the same time the same one', async () => {
    const { open } = await medium()
    const stores = Array.from({ length: 4 }, () => open())
    const values = await Promise.all(stores.map((store, i) => store.readOrWrite('a', bytes(i))))
    expect(new Set(values.map(String)).size).toBe(1)
    expect(await open().read('a')).toEqual(values[0])
    expect(await open().keys('')).toEqual(['a'])
  })

  it('lists the keys of one meeting and not those of its neighbours', async () => {
    const store = (await medium()).open()
    const names = ['m/1/state', 'm/1/log', 'm/10/state', 'm/2', 'device', 'm/1/%_*']
    await store.write(new Map(names.map((name) => [name, bytes(1)])))
    expect((await store.keys('m/1/')).toSorted()).toEqual(['m/1/%_*', 'm/1/log', 'm/1/state'])
    expect(await store.keys('M/1/')).toEqual([])
    expect(await store.keys('')).toHaveLength(names.length)
  })

  it('takes copies and gives copies', async () => {
    const store = (await medium()).open()
    const value = bytes(1, 2, 3)
    const written = store.write(changes({ a: value }))
    value.fill(0)
    await written
    const first = await store.read('a')
    expect(first).toEqual(bytes(1, 2, 3))
    first?.fill(9)
    expect(await store.read('a')).toEqual(bytes(1, 2, 3))
  })

  it('keeps calls in their order, large values before small ones', async () => {
    const store = (await medium()).open()
    const sizes = [50_000, 1, 20_000, 0]
    const writes = sizes.map((size) => store.write(changes({ a: new Uint8Array(size) })))
    expect((await store.read('a'))?.length).toBe(0)
    await Promise.all(writes)
    expect((await store.read('a'))?.length).toBe(0)
  })

  it('does what a map would, in whatever order it is used', async () => {
    await fc.assert(likeMap(medium), { numRuns: runs, interruptAfterTimeLimit: 20_000 })
  })

  it('gives a lock to one of all who take it at the same time', async () => {
    const { open } = await medium()
    const stores = Array.from({ length: 4 }, () => open())
    const taken = await Promise.all(stores.map((store) => store.hold('a')))
    expect(taken.filter((release) => release !== undefined)).toHaveLength(1)
  })

  it('lets one lock not stand in the way of others, nor of any entry', async () => {
    const store = (await medium()).open()
    await store.hold('')
    const names = Array.from({ length: 20 }, (_, i) => `m/${i}`)
    const taken = await Promise.all(names.map((name) => store.hold(name)))
    // Some store has room for so many locks only that two names share one now and then.
    expect(taken.filter((release) => release !== undefined).length).toBeGreaterThan(16)
    await store.write(changes({ 'm/1': bytes(1) }))
    expect(await store.keys('')).toEqual(['m/1'])
  })

  it('has a lock held by one at a time, whoever takes and releases it how often', async () => {
    await fc.assert(likeOneLock(medium), { numRuns: runs, interruptAfterTimeLimit: 20_000 })
  })
}

/** Any sequence of taking a lock, and of releasing it, in time or late or twice. */
export function likeOneLock(medium: ContractOptions['medium']) {
  const steps = fc.array(fc.oneof(fc.constant('take' as const), fc.nat(3)), { maxLength: 12 })
  return fc.asyncProperty(steps, async (steps) => {
    const { open } = await medium()
    const [one, other] = [open(), open()]
    const releases: (() => void)[] = []
    let holder: number | undefined
    for (const [i, step] of steps.entries()) {
      if (step === 'take') {
        const release = await (i % 2 === 0 ? one : other).hold('a')
        expect(release === undefined).toBe(holder !== undefined)
        if (release !== undefined) holder = releases.push(release) - 1
      } else {
        releases[step]?.()
        if (holder === step) holder = undefined
      }
    }
  })
}

/** Any sequence of calls, awaited or not, and of new processes gives what a map would give. */
export function likeMap(medium: ContractOptions['medium']) {
  return fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
    await agreesWithMap(await medium(), steps)
  })
}

async function agreesWithMap(medium: Medium, steps: readonly Step[]): Promise<void> {
  const model = new Map<string, Bytes>()
  let store = medium.open()
  const pending: Promise<void>[] = []
  for (const each of steps) {
    if (each.kind === 'write') {
      for (const [key, value] of each.changes) {
        if (value === undefined) model.delete(key)
        else model.set(key, value)
      }
      const handed = new Map([...each.changes].map(([key, value]) => [key, value?.slice()]))
      const written = store.write(handed)
      for (const value of handed.values()) value?.fill(0xff)
      pending.push(written)
      if (each.awaited) await written
    } else if (each.kind === 'read') {
      const value = await store.read(each.key)
      expect(value).toEqual(model.get(each.key))
      value?.fill(0xee)
    } else if (each.kind === 'readOrWrite') {
      const expected = model.get(each.key) ?? each.value
      model.set(each.key, expected)
      const handed = each.value.slice()
      const value = store.readOrWrite(each.key, handed)
      handed.fill(0xff)
      expect(await value).toEqual(expected)
    } else if (each.kind === 'keys') {
      const expected = [...model.keys()].filter((key) => key.startsWith(each.prefix))
      expect((await store.keys(each.prefix)).toSorted()).toEqual(expected.toSorted())
    } else {
      await Promise.all(pending)
      store = medium.open()
    }
  }
  await Promise.all(pending)
  const last = medium.open()
  expect((await last.keys('')).toSorted()).toEqual([...model.keys()].toSorted())
  for (const [key, value] of model) expect(await last.read(key)).toEqual(value)
}

const key = fc.oneof(
  fc.constantFrom('', 'a', 'a/b', 'a/c', 'device-key'),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
)
const prefix = fc.oneof(key, fc.constantFrom('a/', 'b', '/b', 'key'))
const value = fc.uint8Array({ maxLength: 40 }).map((each) => Uint8Array.from(each))
const valueOrNone = fc.option(value, { nil: undefined, freq: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      changes: fc.array(fc.tuple(key, valueOrNone), { maxLength: 4 }).map((each) => new Map(each)),
      awaited: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), key }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('readOrWrite' as const), key, value }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('keys' as const), prefix }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)

export function bytes(...values: readonly number[]): Bytes {
  return Uint8Array.from(values)
}

export function changes(entries: Readonly<Record<string, Bytes | undefined>>): Changes {
  return new Map(Object.entries(entries))
}
