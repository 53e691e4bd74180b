import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'
import type { Browser } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import webpack from 'webpack'
import { launchChromium } from '../chromium.ts'
import { originOf, serveFiles } from './servedPage.ts'

const PATIENCE_MS = 60_000

const root = fileURLToPath(new URL('./bundled/', import.meta.url))
const app = join(root, 'app.js')

/** What each bundler makes of the app, with no more configuration than where the files are. */
const bundlers: Record<string, (outdir: string) => Promise<unknown>> = {
  Vite: (outDir) =>
    build({ root, configFile: false, logLevel: 'warn', build: { outDir, emptyOutDir: false } }),

  webpack: async (path) => {
    await new Promise<void>((resolve, reject) => {
      webpack({ mode: 'production', entry: app, output: { path } }, (error, stats) => {
        if (error !== null) reject(error)
        else if (stats?.hasErrors() === true) reject(new Error(stats.toString('errors-only')))
        else resolve()
      })
    })
    await writeFile(join(path, 'index.html'), '<script type="module" src="./main.js"></script>')
  },

  esbuild: async (outdir) => {
    const entryPoints = { app, mediaWorker: '@conclave/client/media/worker' }
    await esbuild.build({ entryPoints, bundle: true, format: 'esm', outdir })
    await writeFile(join(outdir, 'index.html'), '<script type="module" src="./app.js"></script>')
  },
}

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium({ fps: 30 })
})
afterAll(() => browser?.close())

async function serve(folder: string): Promise<Server> {
  const files = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length), await readFile(path, 'utf8'))
  }
  return await serveFiles(files)
}

describe('the published package', { timeout: 2 * PATIENCE_MS }, () => {
  it.each(Object.keys(bundlers))(
    'bundled by %s starts its worker under a strict content security policy',
    async (name) => {
      const folder = await mkdtemp(join(tmpdir(), 'conclave-bundle-'))
      onTestFinished(() => rm(folder, { recursive: true }))
      await bundlers[name]?.(folder)
      const server = await serve(folder)
      const context = await browser.newContext({ permissions: ['camera'] })
      onTestFinished(async () => {
        await context.close()
        server.close()
      })
      const page = await context.newPage()
      const violations: string[] = []
      page.on('console', (message) => {
        if (message.text().includes('Content Security Policy')) violations.push(message.text())
      })
      await page.goto(originOf(server))
      const report = async () =>
        (await page.evaluate('globalThis.report?.()')) as
          | { opened: number; decoded: number; failures: string[] }
          | undefined
      await expect
        .poll(async () => (await report())?.decoded ?? 0, { timeout: PATIENCE_MS, interval: 200 })
        .toBeGreaterThan(10)
      const { opened, failures } = (await report()) ?? {}
      expect(opened).toBeGreaterThan(10)
      expect(failures).toEqual([])
      expect(violations).toEqual([])
    },
  )
})
