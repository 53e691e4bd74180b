import { resolve } from 'node:path'
import { build, defaultClientConditions } from 'vite'
import { repository } from '../entry/repository.mjs'

/** What an application for browsers needs of MLS: entries of core, by the names that a bundle exports. */
export const mlsForBrowsers = Object.fromEntries(
  Object.entries({
    codec: 'codec',
    wire: 'wire',
    secrets: 'crypto/secret',
    mls: 'mls',
  }).map(([name, folder]) => [name, resolve(repository, 'core', 'src', folder, 'index.ts')]),
)

/**
 * One bundle of modules and all that they reach, as for an application in browsers. Its exports are
 * those names, each with all that its module exports, so that nothing can be left out.
 *
 * @param {Readonly<Record<string, string>>} modules absolute paths
 * @param {{ minify: boolean, external: readonly RegExp[] }} options
 */
export async function bundle(modules, { minify, external }) {
  const entry = 'virtual:all-modules'
  const built = await build({
    configFile: false,
    logLevel: 'warn',
    // Workspace packages come from their sources, as everywhere in the checkout.
    resolve: { conditions: ['conclave:source', ...defaultClientConditions] },
    plugins: [
      {
        name: 'all-modules',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? exportsOf(modules) : undefined),
      },
    ],
    build: {
      write: false,
      minify,
      target: 'es2024',
      reportCompressedSize: false,
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: 'strict',
        external: [...external],
        onLog(level, log, report) {
          // @hpke/common asks Node for WebCrypto only where the platform has none.
          if (!log.message.includes('Module "crypto" has been externalized')) report(level, log)
        },
      },
    },
  })
  const [chunk, ...others] = [built].flat().flatMap((each) => ('output' in each ? each.output : []))
  if (chunk?.type !== 'chunk' || others.length > 0) throw new TypeError('not one bundle')
  return chunk
}

/** @param {Readonly<Record<string, string>>} modules */
function exportsOf(modules) {
  const lines = Object.entries(modules).map(
    ([name, path]) => `export * as ${name} from ${JSON.stringify(path)}`,
  )
  return lines.join('\n')
}
