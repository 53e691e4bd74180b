import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { takeSlot } from '../../src/session/slots.ts'
import { suite } from '../session/support/people.ts'
import { bytes, changes } from './contract.ts'
import { storeInPage } from './pageStore.ts'
import { storePages } from './storePages.ts'

const pages = storePages()

async function crash(tab: Page): Promise<void> {
  const crashed = new Promise((resolve) => tab.on('crash', resolve))
  const session = await pages.context.newCDPSession(tab)
  void session.send('Page.crash').catch(() => {})
  await crashed
}

/** The browser notices in its own time that a tab is gone. */
function isFree(tab: Page, name: string) {
  return expect.poll(async () => (await storeInPage(tab, 'store').hold(name)) !== undefined)
}

const unsupported = { code: 'platform-unsupported', remedy: expect.any(String) }

describe('the locks of a store in IndexedDB', () => {
  it('are held against other tabs, until the tab is closed or crashes', async () => {
    const [closing, crashing, staying] = [
      await pages.newTab(),
      await pages.newTab(),
      await pages.newTab(),
    ]
    expect(await storeInPage(closing, 'store').hold('a')).toBeTypeOf('function')
    expect(await storeInPage(crashing, 'store').hold('b')).toBeTypeOf('function')
    const store = storeInPage(staying, 'store')
    expect([await store.hold('a'), await store.hold('b')]).toEqual([undefined, undefined])
    await closing.close()
    await isFree(staying, 'a').toBe(true)
    expect(await store.hold('b')).toBeUndefined()
    await crash(crashing)
    await isFree(staying, 'b').toBe(true)
  })

  it('go to one of the tabs that take one at once', async () => {
    const tabs = [await pages.newTab(), await pages.newTab(), await pages.newTab()]
    const stores = tabs.flatMap((tab) => [storeInPage(tab, 'store'), storeInPage(tab, 'store')])
    const taken = await Promise.all(stores.map((store) => store.hold('a')))
    expect(taken.filter((release) => release !== undefined)).toHaveLength(1)
  })

  it('can be taken again as soon as they are released', async () => {
    const again = await (await pages.newTab()).evaluate(async () => {
      const { stores } = window
      const store = stores.open('store')
      const outcomes: unknown[] = []
      for (let i = 0; i < 20; i++) {
        const held = await stores.hold(store, 'a')
        const lock = 'result' in held ? held.result : null
        if (lock !== null) stores.release(lock)
        outcomes.push(lock !== null)
      }
      return outcomes
    })
    expect(again).toEqual(Array(20).fill(true))
  })

  it('are those of one database, however names run into each other', async () => {
    const tab = await pages.newTab()
    const places = [
      ['a', 'b/c'],
      ['a/b', 'c'],
      ['a","b', 'c'],
      ['a', 'b","c'],
      ['', ''],
    ] as const
    for (const [database, name] of places) {
      expect(await storeInPage(tab, database).hold(name)).toBeTypeOf('function')
    }
  })

  it('are missed where the page did not come over https', async () => {
    const tab = await pages.context.newPage()
    await tab.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })
    })
    await tab.goto(pages.origin)
    const store = storeInPage(tab, 'store')
    await expect(store.hold('a')).rejects.toMatchObject(unsupported)
    await store.write(changes({ a: bytes(1) }))
    expect(await store.read('a')).toEqual(bytes(1))
  })

  it('are missed where the page has no origin of its own', async () => {
    const tab = await pages.context.newPage()
    await tab.route('**/*', async (route) => {
      const response = await route.fetch()
      const headers = {
        ...response.headers(),
        'content-security-policy': 'sandbox allow-scripts',
        'access-control-allow-origin': '*',
      }
      await route.fulfill({ response, headers })
    })
    await tab.goto(pages.origin)
    await expect(storeInPage(tab, 'store').hold('a')).rejects.toMatchObject(unsupported)
  })
})

describe('the tabs of a browser in a meeting', () => {
  const take = (tab: Page, meetingId = 'standup') =>
    takeSlot(suite, storeInPage(tab, 'store'), { meetingId, identity: { id: 'alice' } })

  it('have a slot each, which whoever comes after a crash finds as it was left', async () => {
    const [first, second] = [await pages.newTab(), await pages.newTab()]
    const slots = await Promise.all([take(first), take(second)])
    expect(slots.map(({ number }) => number).toSorted()).toEqual([0, 1])
    expect((await take(second, 'retro')).number).toBe(0)
    await Promise.all(slots.map(({ store, number }) => store.write(changes({ a: bytes(number) }))))
    const [ofFirst] = slots
    await crash(first)
    await expect
      .poll(async () => {
        const slot = await take(second)
        if (slot.number !== ofFirst?.number) slot.release()
        else expect(await slot.store.read('a')).toEqual(bytes(slot.number))
        return slot.number
      })
      .toBe(ofFirst?.number)
  })

  it('give a slot back while they stay', async () => {
    const [first, second] = [await pages.newTab(), await pages.newTab()]
    const slot = await take(first)
    expect((await take(second)).number).toBe(1)
    slot.release()
    expect((await take(first)).number).toBe(0)
  })
})
