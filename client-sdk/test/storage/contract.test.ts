import type { Bytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySessionStore, type SessionStore } from '../../src/index.ts'
import { likeMap, likeOneLock } from './contract.ts'

/** Stores that are right but for one thing. */
const faulty: Readonly<Record<string, () => SessionStore>> = {
  'lets small values overtake large ones': () => {
    const store = memorySessionStore()
    return {
      ...store,
      write: async (changes) => {
        const copies = new Map([...changes].map(([key, value]) => [key, value?.slice()]))
        const sizes = [...copies.values()].map((value) => value?.length ?? 0)
        for (let turn = 0; turn < Math.max(...sizes); turn++) await Promise.resolve()
        await store.write(copies)
      },
    }
  },
  'keeps the caller’s bytes': () => {
    const entries = new Map<string, Bytes | undefined>()
    return {
      ...memorySessionStore(),
      read: async (key) => entries.get(key),
      write: async (changes) => {
        for (const [key, value] of changes) entries.set(key, value)
      },
      keys: async (prefix) =>
        [...entries].flatMap(([key, value]) => (value && key.startsWith(prefix) ? [key] : [])),
    }
  },
  'deletes nothing': () => {
    const store = memorySessionStore()
    return {
      ...store,
      write: (changes) => store.write(new Map([...changes].filter(([, value]) => value))),
    }
  },
  'replaces what another has made': () => {
    const store = memorySessionStore()
    return {
      ...store,
      readOrWrite: async (key, value) => {
        await store.write(new Map([[key, value]]))
        return value.slice()
      },
    }
  },
  'finds a prefix anywhere': () => {
    const store = memorySessionStore()
    return {
      ...store,
      keys: async (prefix) => (await store.keys('')).filter((key) => key.includes(prefix)),
    }
  },
}

/** Stores whose locks are right but for one thing. */
const faultyLocks: Readonly<Record<string, () => SessionStore['hold']>> = {
  'has locks for nobody': () => async () => undefined,
  'has locks for all': () => async () => () => {},
  'never releases a lock': () => {
    const { hold } = memorySessionStore()
    return async (name) => ((await hold(name)) === undefined ? undefined : () => {})
  },
  'releases what another holds': () => {
    const held = new Set<string>()
    return async (name) => {
      if (held.has(name)) return undefined
      held.add(name)
      return () => held.delete(name)
    }
  },
}

describe('the contract of session stores', () => {
  it.each(Object.entries(faulty))('finds a store that %s', async (_, make) => {
    const medium = async () => {
      const store = make()
      return { open: () => store }
    }
    expect((await fc.check(likeMap(medium), { numRuns: 1_000, seed: 1 })).failed).toBe(true)
  })

  it('finds a store that forgets with its process', async () => {
    const medium = async () => ({ open: () => memorySessionStore() })
    expect((await fc.check(likeMap(medium), { numRuns: 1_000, seed: 1 })).failed).toBe(true)
  })

  it.each(Object.entries(faultyLocks))('finds a store that %s', async (_, make) => {
    const medium = async () => {
      const store = { ...memorySessionStore(), hold: make() }
      return { open: () => store }
    }
    expect((await fc.check(likeOneLock(medium), { numRuns: 1_000, seed: 1 })).failed).toBe(true)
  })

  it('finds a store whose locks are those of its process alone', async () => {
    const medium = async () => ({ open: () => memorySessionStore() })
    expect((await fc.check(likeOneLock(medium), { numRuns: 1_000, seed: 1 })).failed).toBe(true)
  })
})
