import type { Page } from 'playwright-core'
import { beforeEach, describe, expect, it } from 'vitest'
import { bytes, changes, holdsTheContract } from './contract.ts'
import type { Tampering } from './page/rawDatabase.ts'
import { storeInPage } from './pageStore.ts'
import { roundsIn } from './rounds.ts'
import { storePages } from './storePages.ts'

const pages = storePages()
let page: Page
let databases = 0

beforeEach(async () => {
  page = await pages.newTab()
})

function newName(): string {
  databases += 1
  return `store ${databases}`
}

const damaged = { code: 'store-corrupted', remedy: expect.any(String) }
const unavailable = { code: 'store-unavailable', remedy: expect.any(String) }

describe('the store in IndexedDB', () => {
  holdsTheContract({
    medium: async () => {
      const name = newName()
      return { open: () => storeInPage(page, name) }
    },
    runs: 25,
  })

  it('is one for all tabs that open it for the first time at once', async () => {
    const tabs = [page, await pages.newTab(), await pages.newTab()]
    const stores = tabs.flatMap((tab) => [storeInPage(tab, 'shared'), storeInPage(tab, 'shared')])
    await Promise.all(stores.map((store, i) => store.write(changes({ [`of/${i}`]: bytes(i) }))))
    for (const store of stores) {
      expect(await store.keys('of/')).toHaveLength(stores.length)
      expect(await store.read('of/4')).toEqual(bytes(4))
    }
  })

  it('has keys that no script can export', async () => {
    await storeInPage(page, 'keys').write(changes({ a: bytes(1) }))
    const outcomes = await page.evaluate(async () => {
      const database = await window.RawDatabase.open('keys')
      return await database.exportKeys()
    })
    expect(outcomes).toEqual(Array(6).fill('InvalidAccessError'))
  })

  async function tamper(name: string, table: string, tampering: Tampering): Promise<void> {
    const args = { name, table, tampering }
    await page.evaluate(async ({ name, table, tampering }) => {
      const database = await window.RawDatabase.open(name)
      await database.tamper(table, tampering)
      database.close()
    }, args)
  }

  const tamperings: Tampering[] = ['swap', 'cut', 'text']

  it.each(tamperings)('does not take a changed value for a true one: %s', async (tampering) => {
    const name = newName()
    await storeInPage(page, name).write(changes({ a: bytes(1), b: bytes(2) }))
    await tamper(name, 'values', tampering)
    const store = storeInPage(page, name)
    const outcomes = await Promise.allSettled([store.read('a'), store.read('b')])
    const codes = outcomes.map((each) => (each.status === 'rejected' ? each.reason.code : 'ok'))
    expect(codes.toSorted()).toEqual(['ok', 'store-corrupted'])
    // What is damaged can be replaced.
    await store.write(changes({ a: bytes(3), b: bytes(4) }))
    expect([await store.read('a'), await store.read('b')]).toEqual([bytes(3), bytes(4)])
  })

  it.each(tamperings)('does not take a changed name for a true one: %s', async (tampering) => {
    const name = newName()
    await storeInPage(page, name).write(changes({ a: bytes(1), b: bytes(2) }))
    await tamper(name, 'names', tampering)
    await expect(storeInPage(page, name).keys('')).rejects.toMatchObject(damaged)
  })

  it.each(['empty', 'text'] as const)(
    'makes no new keys for old entries: %s',
    async (tampering) => {
      const name = newName()
      await storeInPage(page, name).write(changes({ a: bytes(1) }))
      await tamper(name, 'keys', tampering)
      const store = storeInPage(page, name)
      await expect(store.read('a')).rejects.toMatchObject(damaged)
      await expect(store.write(changes({ a: bytes(2) }))).rejects.toMatchObject(damaged)
    },
  )

  it('lets another tab delete it, and begins anew', async () => {
    const name = newName()
    const store = storeInPage(page, name)
    await store.write(changes({ a: bytes(1) }))
    const other = await pages.newTab()
    await other.evaluate(
      (name) =>
        new Promise<void>((resolve, reject) => {
          const request = indexedDB.deleteDatabase(name)
          request.onsuccess = () => resolve()
          request.onblocked = () => reject(new Error('blocked'))
        }),
      name,
    )
    expect(await store.read('a')).toBeUndefined()
    await store.write(changes({ a: bytes(2) }))
    expect(await storeInPage(other, name).read('a')).toEqual(bytes(2))
  })

  it('says that it is unavailable where the page may keep nothing', async () => {
    await page.route('**/*', async (route) => {
      const response = await route.fetch()
      const headers = {
        ...response.headers(),
        'content-security-policy': 'sandbox allow-scripts',
        'access-control-allow-origin': '*',
      }
      await route.fulfill({ response, headers })
    })
    await page.reload()
    const store = storeInPage(page, 'sandboxed')
    await expect(store.read('a')).rejects.toMatchObject(unavailable)
    await expect(store.write(changes({ a: bytes(1) }))).rejects.toMatchObject(unavailable)
  })

  it('says that it is unavailable where there is no room, and keeps what it had', async () => {
    const session = await pages.context.newCDPSession(page)
    const origin = pages.origin
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 100_000 })
    const store = storeInPage(page, 'full')
    await store.write(changes({ a: bytes(1), b: bytes(1) }))
    const large = changes({ a: bytes(2), b: new Uint8Array(200_000) })
    await expect(store.write(large)).rejects.toMatchObject(unavailable)
    expect([await store.read('a'), await store.read('b')]).toEqual([bytes(1), bytes(1)])
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    await store.write(large)
    expect(await store.read('a')).toEqual(bytes(2))
  })

  it('is what meetings use where nothing else is said, one for all of a page', async () => {
    const found = await page.evaluate(async () => {
      const store = window.defaultStore()
      await store.write(new Map([['a', Uint8Array.of(1)]]))
      const databases = await indexedDB.databases()
      return { same: store === window.defaultStore(), names: databases.map(({ name }) => name) }
    })
    expect(found).toEqual({ same: true, names: ['conclave'] })
  })
})

describe('a store in IndexedDB whose tab crashes', () => {
  /** Crashes a tab after it has written some rounds; returns the rounds that another tab then finds. */
  async function roundsAfterCrash(mode: 'whole' | 'torn', rounds: number): Promise<number[]> {
    const name = newName()
    const tab = await pages.newTab()
    const crashed = new Promise((resolve) => tab.on('crash', resolve))
    await tab.evaluate(
      ({ name, mode }) => {
        void window.stores.writeRounds(window.stores.open(name), 1, mode)
      },
      { name, mode },
    )
    await tab.waitForFunction((rounds) => Number(document.title) >= rounds, rounds)
    const session = await pages.context.newCDPSession(tab)
    void session.send('Page.crash').catch(() => {})
    await crashed
    return await roundsIn(storeInPage(page, name))
  }

  it('holds one write, and no half of any', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const [round, ...others] = await roundsAfterCrash('whole', seed)
      expect(others).toEqual([])
      expect(round).toBeGreaterThanOrEqual(seed)
    }
  })

  it('is found out where changes are written one by one', async () => {
    let found = false
    for (let seed = 1; seed <= 20 && !found; seed++) {
      found = (await roundsAfterCrash('torn', seed)).length > 1
    }
    expect(found).toBe(true)
  })
})
