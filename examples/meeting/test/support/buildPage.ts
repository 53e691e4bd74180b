import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, defaultClientConditions } from 'vite'

const configFile = fileURLToPath(new URL('../../vite.config.ts', import.meta.url))

export interface BuiltPage {
  readonly folder: string
  remove(): Promise<void>
}

/** Builds a page as the product's is, but from the packages' sources. */
export async function buildPage(root: URL): Promise<BuiltPage> {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-page-'))
  await build({
    configFile,
    root: fileURLToPath(root),
    resolve: { conditions: ['conclave:source', ...defaultClientConditions] },
    build: { outDir: folder, minify: false, sourcemap: false },
  })
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

export const productPage = new URL('../../src/page/', import.meta.url)
export const probedPage = new URL('../page/', import.meta.url)
