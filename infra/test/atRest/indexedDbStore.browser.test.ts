import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPage, originOf, serveFiles } from '../../../client-sdk/test/media/servedPage.ts'
import { storeInPage } from '../../../client-sdk/test/storage/pageStore.ts'
import { findInFiles } from './filesIn.ts'

const name = `meeting/${randomBytes(24).toString('base64url')}`
const value = Uint8Array.from(randomBytes(3_000))
const deleted = Uint8Array.from(randomBytes(64))
const planted = Uint8Array.from(randomBytes(64))

let server: Server
let profile: string

beforeAll(async () => {
  profile = await mkdtemp(join(tmpdir(), 'conclave-profile-'))
  const page = new URL('../../../client-sdk/test/storage/page/', import.meta.url)
  server = await serveFiles(await buildPage(page))
}, 120_000)

afterAll(async () => {
  server?.close()
  await rm(profile, { recursive: true, force: true })
})

describe('the files of Chromium', () => {
  it('show nothing of a session store, and show what is not encrypted', async () => {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    })
    try {
      const page = await context.newPage()
      await page.goto(originOf(server))
      const store = storeInPage(page, 'at rest')
      await store.write(new Map([[name, deleted]]))
      await store.write(new Map([[name, value]]))
      expect(await store.read(name)).toEqual(value)
      await page.evaluate(
        (planted) =>
          new Promise<void>((resolve) => {
            const request = indexedDB.open('planted')
            request.onupgradeneeded = () => request.result.createObjectStore('values')
            request.onsuccess = () => {
              const transaction = request.result.transaction('values', 'readwrite')
              transaction.objectStore('values').put(Uint8Array.from(planted), 'planted')
              transaction.oncomplete = () => resolve()
            }
          }),
        [...planted],
      )
    } finally {
      await context.close()
    }
    const found = await findInFiles(profile, { name: Buffer.from(name), value, deleted, planted })
    expect(new Set(found.map(({ secret }) => secret))).toEqual(new Set(['planted']))
    expect(found.every(({ file }) => file.includes('IndexedDB'))).toBe(true)
  })
})
