import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { basename, join, matchesGlob, normalize } from 'node:path'
import { allInstructions, commandOf, copiesOf, stagesOf, textsOf } from './dockerfile.mjs'

/**
 * Whether what a Dockerfile copies, builds and calls is there.
 *
 * @param {string} repository
 * @param {string} path
 * @param {string} text
 * @param {string} ignored the text of .dockerignore
 * @returns {string[]}
 */
export function dockerfileProblems(repository, path, text, ignored) {
  const stages = stagesOf(text)
  const problems = []
  const patterns = ignored.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  for (const stage of stages) {
    const instructions = allInstructions(stages, stage)
    const copied = copiesOf(instructions)
    for (const { from, sources } of copiesOf(stage.instructions)) {
      if (from !== undefined) {
        if (!stages.some(({ name }) => name === from)) problems.push(`no stage ${from}`)
        continue
      }
      for (const source of sources) {
        if (!existsSync(join(repository, source))) problems.push(`COPY ${source}: no such file`)
        if (isIgnored(source, patterns)) problems.push(`COPY ${source}: .dockerignore excludes it`)
      }
    }
    for (const command of textsOf(stage.instructions, 'RUN')) {
      for (const script of scriptsIn(command)) {
        if (!isCopied(repository, script, copied) || !existsSync(join(repository, script))) {
          problems.push(`RUN ${script}: it is not copied`)
        }
      }
      for (const [, folder = ''] of command.matchAll(/tsc -b ([\w/-]+)/g)) {
        if (
          !existsSync(join(repository, folder, 'tsconfig.json')) ||
          !isCopied(repository, folder, copied)
        ) {
          problems.push(`RUN tsc -b ${folder}: it is not copied`)
        }
      }
      for (const [, name = ''] of command.matchAll(/--workspace (\S+)/g)) {
        if (!workspacesOf(repository).includes(name)) problems.push(`RUN npm: no workspace ${name}`)
      }
    }
  }
  const image = stages.at(-1)?.instructions ?? []
  const copied = copiesOf(image)
  for (const keyword of /** @type {const} */ (['CMD', 'HEALTHCHECK'])) {
    for (const script of scriptsIn(commandOf(image, keyword).join(' '))) {
      const source = script.replace(/^(.*)\/dist\/(.*)\.js$/, '$1/src/$2.ts')
      if (!existsSync(join(repository, source)) || !isCopied(repository, script, copied)) {
        problems.push(`${keyword} ${script}: it is not in the image`)
      }
    }
  }
  return problems.map((problem) => `${path}: ${problem}`)
}

/** The files that a command gives to node. @param {string} command */
function scriptsIn(command) {
  return [...command.matchAll(/\bnode ([\w./-]+)/g)].map(([, script = '']) => script)
}

/**
 * Whether one of these puts something there: a file copied into a folder is that file alone.
 *
 * @param {string} repository
 * @param {string} path
 * @param {readonly import('./dockerfile.mjs').Copy[]} copies
 */
function isCopied(repository, path, copies) {
  const places = copies.flatMap(({ from, sources, target }) =>
    sources.map((source) => {
      const whole =
        from !== undefined ||
        statSync(join(repository, source), { throwIfNoEntry: false })?.isDirectory()
      return normalize(whole ? target : join(target, basename(source))).replace(/\/$/, '')
    }),
  )
  // What `npm ci` has installed is no file of ours.
  return places.some((place) => place !== '.' && `${path}/`.startsWith(`${place}/`))
}

/** @param {string} path @param {readonly string[]} patterns */
function isIgnored(path, patterns) {
  const folders = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
  return folders.some((folder) => patterns.some((pattern) => matchesGlob(folder, pattern)))
}

/** @param {string} repository */
function workspacesOf(repository) {
  const { workspaces } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  return globSync(
    workspaces.map((/** @type {string} */ folder) => `${folder}/package.json`),
    {
      cwd: repository,
    },
  ).map((path) => JSON.parse(readFileSync(join(repository, path), 'utf8')).name)
}
