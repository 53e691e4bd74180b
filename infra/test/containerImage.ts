import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { expect } from 'vitest'
import {
  commandOf,
  copiesOf,
  environmentOf,
  type Instruction,
  type Stage,
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
 * Does below `root` what Dockerfiles of ours say: their COPYs, their RUNs, and for `npm ci` what
 * that would install, taken from this checkout. Only what apt installs is left out. As with Docker,
 * a stage that several files have is built once.
 */
export function imageBuilder(root: string): (dockerfile: string) => ContainerImage {
  const built = new Map<string, string>()
  return (dockerfile) => {
    const stages = stagesOf(readFileSync(join(repository, dockerfile), 'utf8'))
    const named = (wanted: string): string => {
      const stage = stages.find(({ name }) => name === wanted)
      return stage === undefined ? expect.fail(`${dockerfile}: no stage ${wanted}`) : build(stage)
    }
    const build = ({ base, instructions }: Stage): string => {
      const start = stages.some(({ name }) => name === base) ? named(base) : undefined
      const origins = copiesOf(instructions).map(({ from }) => from && named(from))
      const contents = JSON.stringify([start ?? base, instructions, origins])
      const known = built.get(contents)
      if (known !== undefined) return known
      const system = join(root, `stage-${built.size}`)
      built.set(contents, system)
      mkdirSync(join(system, binaries), { recursive: true })
      mkdirSync(join(system, 'app'), { recursive: true })
      if (start !== undefined) cpSync(start, system, { recursive: true, verbatimSymlinks: true })
      for (const instruction of instructions) {
        if (instruction.keyword === 'COPY') copyInto(system, instruction, named)
        if (instruction.keyword === 'RUN') runIn(system, instruction.text)
      }
      return system
    }

    const image = stages.at(-1) ?? expect.fail(`${dockerfile}: no image`)
    const system = build(image)
    const environment = Object.entries(environmentOf(image.instructions)).map(([key, value]) => [
      key,
      value.replace(binaries, join(system, binaries)),
    ])
    return {
      folder: join(system, 'app'),
      environment: Object.fromEntries(environment),
      command: commandOf(image.instructions, 'CMD'),
      healthcheck: commandOf(image.instructions, 'HEALTHCHECK'),
    }
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
    symlinkSync(workspaceOf(app, folder) ?? join(repository, folder), place)
  }
}

/** For running, copies: what is not among them must not be reached through a link. */
function copyPackages(app: string, name: string): void {
  for (const folder of lockedPackages(lock, name)) {
    const origin = join(repository, folder)
    const place = join(app, folder)
    if (!folder.includes('node_modules/') || !existsSync(origin)) continue
    mkdirSync(dirname(place), { recursive: true })
    const workspace = workspaceOf(app, folder)
    if (workspace !== undefined) symlinkSync(workspace, place)
    else {
      cpSync(origin, place, {
        recursive: true,
        dereference: true,
        filter: (path) => !relative(origin, path).split('/').includes('node_modules'),
      })
    }
  }
}

/** Where the link to a workspace points, from its place. */
function workspaceOf(app: string, folder: string): string | undefined {
  const { link = false, resolved = '' } = lock.packages[folder] ?? {}
  return link ? relative(dirname(join(app, folder)), join(app, resolved)) : undefined
}
