import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Application, Logger, LogLevel, ReflectionKind } from 'typedoc'
import { repository } from '../entry/repository.mjs'

/**
 * Reads the documentation of what the packages publish: a link that leads nowhere, a type that a
 * signature names and no entry exports, and an export of MLS without a word are problems.
 *
 * `node infra/checks/apiDocs.mjs [--out <folder>] [checkout]`, the folder for the pages
 */

/**
 * @typedef {object} Package
 * @property {string} folder
 * @property {readonly string[]} unexported what signatures name and no entry is meant to export
 */

/** What others build on; the servers have their protocols instead. @type {readonly Package[]} */
const packages = [
  {
    folder: 'core',
    unexported: [
      // Behind types that are exported themselves.
      'Flat',
      'StructOf',
      'VariantOf',
      'LeafNodeContent',
      'LeafNodeOrigin',
      'RegisteredProposal',
      'TypedContent',
      'SOURCES',
      // A tree's own nodes, which only core walks.
      'ParentSubtree',
      'Subtree',
    ],
  },
  { folder: 'client-sdk', unexported: [] },
]

/** Entries whose every export, and every method of it, says what it is; structs aside. */
const explaining = /^mls(\/|$)/

/** What messages of TypeDoc come to. */
class Problems extends Logger {
  /** @type {string[]} */
  found = []

  /**
   * @param {string} message
   * @param {LogLevel} level
   * @override
   */
  log(message, level) {
    if (level >= LogLevel.Warn) this.found.push(message)
  }
}

/**
 * @param {string} root a built checkout with its node_modules
 * @param {Package} checked
 * @param {string} [out] where to write its pages; without it they are only checked
 * @returns {Promise<{ problems: string[], entries: number }>}
 */
export async function apiDocs(root, { folder, unexported }, out) {
  // As the packages' exports say: every folder with an index.
  const entryPoints = globSync(`${folder}/src/**/index.ts`, { cwd: root })
    .map((path) => join(root, path))
    .sort()
  const app = await Application.bootstrap({
    entryPoints,
    tsconfig: join(root, folder, 'tsconfig.json'),
    readme: 'none',
    disableGit: true,
    sourceLinkTemplate: '{path}',
    excludePrivate: true,
    excludeExternals: true,
    excludeInternal: true,
    intentionallyNotExported: [...unexported],
    validation: { invalidLink: true, notExported: true, notDocumented: false },
  })
  const problems = new Problems()
  app.logger = problems
  const project = await app.convert()
  if (project === undefined) return { problems: problems.found, entries: entryPoints.length }
  app.validate(project)
  for (const reflection of project.getReflectionsByKind(mustExplain)) {
    const entry = entryOf(reflection)
    const speaks = explained(reflection) || isStruct(reflection)
    if (entry !== undefined && explaining.test(entry) && !speaks) {
      problems.found.push(`${reflection.getFriendlyFullName()} says nothing of itself`)
    }
  }
  if (out !== undefined) await app.generateDocs(project, out)
  return { problems: problems.found, entries: entryPoints.length }
}

const mustExplain =
  ReflectionKind.Function |
  ReflectionKind.Class |
  ReflectionKind.Interface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Variable |
  ReflectionKind.Method

/** @param {import('typedoc').Reflection} reflection */
function explained(reflection) {
  if (reflection.hasComment()) return true
  // A function's comments are those of its signatures.
  const { signatures } = /** @type {import('typedoc').DeclarationReflection} */ (reflection)
  return signatures?.every((signature) => signature.hasComment()) ?? false
}

/**
 * Whether this is a codec, or the type that is inferred from it. Both stand below the declaration of
 * the struct in the RFC's own language, which says all.
 *
 * @param {import('typedoc').Reflection} reflection
 */
function isStruct({ name, parent }) {
  const { children = [] } = /** @type {import('typedoc').ContainerReflection} */ (parent ?? {})
  return children.some(
    ({ name: sibling, type }) =>
      sibling === name && type?.type === 'reference' && type.name === 'Codec',
  )
}

/**
 * The entry that something belongs to, such as `mls/group`.
 *
 * @param {import('typedoc').Reflection} reflection
 * @returns {string | undefined}
 */
function entryOf(reflection) {
  if (reflection.kindOf(ReflectionKind.Module)) return reflection.name
  return reflection.parent && entryOf(reflection.parent)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { out: { type: 'string' } },
    allowPositionals: true,
  })
  const root = resolve(positionals[0] ?? repository)
  for (const checked of packages) {
    const { folder } = checked
    const out = values.out === undefined ? undefined : resolve(values.out, folder)
    const { problems, entries } = await apiDocs(root, checked, out)
    for (const problem of problems) console.error(`✗ ${problem}`)
    console.error(`${folder}: ${entries} entries, ${problems.length} problems of documentation`)
    if (problems.length > 0) process.exitCode = 1
  }
}
