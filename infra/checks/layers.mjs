import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cruise } from 'dependency-cruiser'
import extractDepcruiseConfig from 'dependency-cruiser/config-utl/extract-depcruise-config'
import { repository } from '../entry/repository.mjs'

/**
 * Checks who imports whom (`.dependency-cruiser.mjs`), statically and dynamically, in every source
 * file: a check that silently looked at fewer files than there are would pass on anything.
 *
 * `node infra/checks/layers.mjs [checkout]`
 */

const sourceFile = /(?<![.]d)[.][cm]?[jt]sx?$/

/**
 * Every source file of every workspace, relative to `root`.
 *
 * @param {string} root
 * @returns {string[]}
 */
export function sourceFiles(root) {
  const workspaces = ['core', 'client-sdk', 'keyserver', 'sfu']
  for (const example of readdirSync(join(root, 'examples'))) workspaces.push(`examples/${example}`)
  return workspaces.flatMap((workspace) =>
    readdirSync(join(root, workspace, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => sourceFile.test(name))
      .map((name) => `${workspace}/src/${name}`),
  )
}

/**
 * @param {string} root a checkout with its node_modules
 * @returns {Promise<{ problems: string[], files: number }>} one line per violation or unseen file
 */
export async function checkLayers(root) {
  const files = sourceFiles(root)
  const config = await extractDepcruiseConfig(join(root, '.dependency-cruiser.mjs'))
  const { options, ...ruleSet } = config
  const { output } = await cruise(
    files,
    { ...options, baseDir: root, ruleSet, validate: true },
    options?.enhancedResolveOptions,
  )
  if (typeof output === 'string') throw new TypeError('dependency-cruiser gave no result object')

  const problems = output.summary.violations.map(describe)
  const seen = new Set(output.modules.map((module) => module.source))
  for (const file of files) {
    if (!seen.has(file)) problems.push(`not looked at: ${file}`)
  }
  return { problems, files: files.length }
}

/** @param {import('dependency-cruiser').IViolation} violation */
function describe({ rule, from, to, cycle, via }) {
  const path = (cycle ?? via ?? []).map((step) => step.name)
  return `${rule.name}: ${[from, ...(path.length > 0 ? path : [to])].join(' → ')}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { problems, files } = await checkLayers(resolve(process.argv[2] ?? repository))
  for (const problem of problems) console.error(`✗ ${problem}`)
  console.error(`${files} source files, ${problems.length} layer violations`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
