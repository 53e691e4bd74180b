import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem, type } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { repository } from '../entry/repository.mjs'

/** Where the newest result of each campaign is kept. */
export const evidenceFile = join(repository, 'docs', 'evidence.json')

/**
 * What a result was got from.
 *
 * @typedef {object} Provenance
 * @property {string} commit
 * @property {boolean} dirty whether anything differed from the commit, this evidence aside
 * @property {string} date
 * @property {{ cpu: string, cores: number, memoryGb: number, system: string }} machine
 * @property {Readonly<Record<string, string>>} versions
 */

/**
 * @typedef {Provenance & { shows: string } & import('./campaign.mjs').CampaignResult} Entry
 * @typedef {{ campaigns: Record<string, Entry> }} Evidence
 */

/**
 * @param {string} node path of the Node that ran the tests
 * @returns {Promise<Provenance>}
 */
export async function provenance(node) {
  const git = (/** @type {string[]} */ ...args) => output('git', ['-C', repository, ...args])
  const changed = await git(
    'status',
    '--porcelain',
    '--',
    `:!${relative(repository, evidenceFile)}`,
  )
  return {
    commit: await git('rev-parse', 'HEAD'),
    dirty: changed !== '',
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
    },
    versions: {
      node: await output(node, ['--version']),
      ...Object.fromEntries(
        await Promise.all(['vitest', 'fast-check', 'typescript'].map(installedVersion)),
      ),
    },
  }
}

/**
 * Puts one campaign's result in the place of its last, and leaves the others as they are.
 *
 * @param {string} path
 * @param {string} name
 * @param {Entry} entry
 * @returns {Promise<Evidence>} all that the file has now
 */
export async function record(path, name, entry) {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '{"campaigns":{}}'
    throw error
  })
  /** @type {Evidence} */
  const { campaigns } = JSON.parse(text)
  const sorted = Object.entries({ ...campaigns, [name]: entry }).sort(([a], [b]) =>
    a < b ? -1 : 1,
  )
  const evidence = { campaigns: Object.fromEntries(sorted) }
  await writeFile(path, `${JSON.stringify(evidence, null, 2)}\n`)
  return evidence
}

/**
 * @param {string} name
 * @returns {Promise<[string, string]>}
 */
async function installedVersion(name) {
  const manifest = join(repository, 'node_modules', name, 'package.json')
  return [name, JSON.parse(await readFile(manifest, 'utf8')).version]
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function output(command, args) {
  const { stdout } = await promisify(execFile)(command, args)
  return stdout.trim()
}
