import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { expect } from 'vitest'
import {
  allInstructions,
  commandOf,
  copiesOf,
  environmentOf,
  type Instruction,
  stagesOf,
} from '../checks/dockerfile.mjs'
import { repository } from '../entry/repository.mjs'
import { type Lock, lockedPackages } from './lockedPackages.ts'

/** An image, as far as what is in it is ours. */
export interface ContainerImage {
  /** Its WORKDIR. */
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
}

const lock: Lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
const binaries = '/usr/local/bin/'

/**
 * Does below `root` what a Dockerfile of ours says: its COPYs, its RUNs, and for `npm ci` what that
 * would install, taken from this checkout. Only what apt installs is left out.
 */
export function buildImage(root: string, dockerfile: string): ContainerImage {
  const stages = stagesOf(readFileSync(join(repository, dockerfile), 'utf8'))
  const rootOf = (stage: string) => join(root, stage || 'image')
  // A stage that others start from is done again as the beginning of each.
  const needed = new Set(stages.flatMap((stage) => copiesOf(stage.instructions).map((c) => c.from)))
  for (const stage of stages) {
    if (stage.name !== '' && !needed.has(stage.name)) continue
    const system = rootOf(stage.name)
    mkdirSync(join(system, binaries), { recursive: true })
    mkdirSync(join(system, 'app'), { recursive: true })
    for (const instruction of allInstructions(stages, stage)) {
      if (instruction.keyword === 'COPY') copyInto(system, instruction, rootOf)
      if (instruction.keyword === 'RUN') runIn(system, instruction.text)
    }
  }
  const image = stages.at(-1)?.instructions ?? []
  const environment = Object.entries(environmentOf(image)).map(([key, value]) => [
    key,
    value.replace(binaries, join(rootOf(''), binaries)),
  ])
  return {
    folder: join(rootOf(''), 'app'),
    environment: Object.fromEntries(environment),
    command: commandOf(image, 'CMD'),
    healthcheck: commandOf(image, 'HEALTHCHECK'),
  }
}

function copyInto(
  system: string,
  instruction: Instruction,
  rootOf: (stage: string) => string,
): void {
  for (const { from, sources, target } of copiesOf([instruction])) {
    for (const source of sources) {
      const origin = join(from === undefined ? repository : rootOf(from), source)
      const place = join(system, target.startsWith('/') ? '' : 'app', target)
      const isFolder = statSync(origin).isDirectory()
      cpSync(origin, isFolder || !target.endsWith('/') ? place : join(place, basename(source)), {
        recursive: true,
        verbatimSymlinks: true,
        // As .dockerignore has it.
        filter: (path) =>
          from !== undefined ||
          !/(^|\/)(node_modules|dist|test)(\/|$)/.test(relative(repository, path)),
      })
    }
  }
}

function runIn(system: string, command: string): void {
  const cwd = join(system, 'app')
  const [isInstall, workspace] = /^npm ci(?: --omit=dev --workspace (\S+))?$/.exec(command) ?? []
  if (command.startsWith('apt-get ')) return
  if (isInstall !== undefined) {
    if (workspace === undefined) linkPackages(cwd)
    else copyPackages(cwd, workspace)
    return
  }
  const text = command.replaceAll(binaries, join(system, binaries))
  const ended = spawnSync('sh', ['-ec', text], { cwd, encoding: 'utf8' })
  expect(ended, `${command}\n${ended.stdout}${ended.stderr}`).toMatchObject({ status: 0 })
}

/** For building, whatever is installed here will do. */
function linkPackages(app: string): void {
  const folders = Object.keys(lock.packages).filter(
    (folder) => folder.lastIndexOf('node_modules/') === folder.indexOf('node_modules/'),
  )
  for (const folder of ['node_modules/.bin', ...folders]) {
    const place = join(app, folder)
    if (!folder.includes('node_modules/') || !existsSync(join(repository, folder))) continue
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(targetOf(app, folder) ?? join(repository, folder), place)
  }
}

/** For running, copies: what is not among them must not be reached through a link. */
function copyPackages(app: string, workspace: string): void {
  for (const folder of lockedPackages(lock, workspace)) {
    const origin = join(repository, folder)
    const place = join(app, folder)
    if (!folder.includes('node_modules/') || !existsSync(origin)) continue
    mkdirSync(dirname(place), { recursive: true })
    const target = targetOf(app, folder)
    if (target !== undefined) symlinkSync(relative(dirname(place), target), place)
    else {
      cpSync(origin, place, {
        recursive: true,
        dereference: true,
        filter: (path) => !relative(origin, path).split('/').includes('node_modules'),
      })
    }
  }
}

/** Where the link to a workspace points. */
function targetOf(app: string, folder: string): string | undefined {
  const { link = false, resolved = '' } = lock.packages[folder] ?? {}
  return link ? join(app, resolved) : undefined
}
