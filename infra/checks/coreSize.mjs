import { isAbsolute, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { repository } from '../entry/repository.mjs'
import { bundle, mlsForBrowsers } from './bundle.mjs'

/**
 * Bundles core's MLS library as an application for browsers would, minified and gzipped, without
 * the libraries that it takes its cryptography from, and holds it to its goal.
 *
 * `node infra/checks/coreSize.mjs`
 */

/** What the whole of MLS may come to, gzipped. */
export const goalBytes = 45_000

const otherLibraries = /^(@noble|@hpke|@peculiar|jose)(\/|$)/
const external = [otherLibraries, /^node:/]

/**
 * @typedef {object} BundleSize
 * @property {number} minifiedBytes
 * @property {number} gzippedBytes
 * @property {readonly { readonly file: string, readonly minifiedBytes: number }[]} files heaviest first
 * @property {readonly string[]} forNodeOnly what no browser has: modules of Node that are reachable
 */

/**
 * Measures modules and all that they reach.
 *
 * @param {Readonly<Record<string, string>>} modules absolute paths, by name
 * @returns {Promise<BundleSize>}
 */
export async function bundleSize(modules) {
  const together = await bundle(modules, { minify: true, external })
  // Of a minified bundle nothing tells which file a byte comes from; of one that is not, it does.
  const files = Object.entries((await bundle(modules, { minify: false, external })).modules)
    .filter(([id]) => isAbsolute(id))
    .map(([id, { renderedLength }]) => ({ file: relative(repository, id), bytes: renderedLength }))
  const share = together.code.length / files.reduce((sum, { bytes }) => sum + bytes, 0)
  return {
    minifiedBytes: together.code.length,
    gzippedBytes: gzipSync(together.code, { level: 9 }).length,
    files: files
      .map(({ file, bytes }) => ({ file, minifiedBytes: Math.round(bytes * share) }))
      .sort((a, b) => b.minifiedBytes - a.minifiedBytes),
    forNodeOnly: together.imports.filter((name) => !otherLibraries.test(name)),
  }
}

/**
 * @param {BundleSize} size
 * @param {number} goal
 * @returns {string[]} one line per problem
 */
export function sizeProblems({ gzippedBytes, forNodeOnly }, goal) {
  const problems = forNodeOnly.map((name) => `browsers have no ${name}`)
  if (gzippedBytes > goal) problems.push(`${kilobytes(gzippedBytes)} gzipped, above the goal`)
  return problems
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const size = await bundleSize(mlsForBrowsers)
  const problems = sizeProblems(size, goalBytes)
  console.error(
    `@conclave/core, MLS for browsers: ${kilobytes(size.gzippedBytes)} gzipped of at most ${kilobytes(goalBytes)}, ${kilobytes(size.minifiedBytes)} minified, without cryptographic libraries`,
  )
  for (const { file, minifiedBytes } of size.files.slice(0, 10)) {
    console.error(`${kilobytes(minifiedBytes).padStart(10)} ${file}`)
  }
  for (const problem of problems) console.error(`✗ ${problem}`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
