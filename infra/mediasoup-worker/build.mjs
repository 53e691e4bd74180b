import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, throwIfInterrupted } from '../entry/processes.mjs'
import { SetupError } from '../entry/setupError.mjs'
import { addToCache, installedMediasoup, isUsableWorker } from './cache.mjs'
import { mesonOptions, sourceChanges, subprojects } from './recipe.mjs'

/**
 * Builds mediasoup's worker from the source in its npm package against the system's libraries,
 * without the web.
 */

/** Debian's names of what a build needs. */
export const buildPackages = [
  'g++',
  'meson',
  'ninja-build',
  'pkg-config',
  'libuv1-dev',
  'libssl-dev',
  'libsrtp2-dev',
  'libabsl-dev',
  'libflatbuffers-dev',
  'flatbuffers-compiler',
]

/**
 * @param {(line: string) => void} say
 * @returns {Promise<string>} path of the cached executable
 * @throws SetupError `worker-source-changed`, `worker-build-failed`, `interrupted`
 */
export async function buildWorker(say) {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-worker-build-'))
  try {
    await prepareSources(folder)
    const worker = await compile(folder, say)
    if (!isUsableWorker(worker)) {
      throw new SetupError('worker-build-failed', 'the built worker does not start')
    }
    return addToCache('built', worker)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** @param {string} folder */
async function prepareSources(folder) {
  const mediasoup = installedMediasoup()
  await cp(join(mediasoup.path, 'worker'), folder, { recursive: true })
  await rm(join(folder, 'subprojects'), { recursive: true })
  await cp(subprojects, join(folder, 'subprojects'), { recursive: true })
  for (const { reason, file, from, to } of sourceChanges) {
    const source = await readFile(join(folder, file), 'utf8')
    if (source.split(from).length !== 2) {
      throw new SetupError(
        'worker-source-changed',
        `mediasoup ${mediasoup.version} has other text in ${file} than ours replaces (${reason})`,
        { remedy: 'adapt infra/mediasoup-worker/recipe.mjs to this version' },
      )
    }
    await writeFile(join(folder, file), source.replace(from, to))
  }
}

/**
 * @param {string} folder
 * @param {(line: string) => void} say
 */
async function compile(folder, say) {
  /** @type {string[]} */
  const log = []
  let saidPercent = 0
  /** @param {string} line */
  const onLine = (line) => {
    log.push(line)
    const [, done, total] = /^\[(\d+)\/(\d+)\]/.exec(line) ?? []
    if (done === undefined || total === undefined) return
    const percent = Math.floor((10 * Number(done)) / Number(total)) * 10
    if (percent > saidPercent) {
      saidPercent = percent
      say(`  ${percent} % (${done} of ${total} files)`)
    }
  }
  /** @param {string} command @param {string[]} args */
  const step = async (command, args) => {
    const ended = await run(command, args, { cwd: folder, onLine })
    throwIfInterrupted(ended)
    if (ended.code === 0) return
    for (const line of log.slice(-40)) say(`  ${line}`)
    throw new SetupError(
      'worker-build-failed',
      `${command} ${args[0]} failed; its last lines are above`,
      {
        remedy: `Debian's packages for this build: ${buildPackages.join(' ')}; or set MEDIASOUP_WORKER_BIN to a worker of mediasoup ${installedMediasoup().version}`,
      },
    )
  }
  say(`  compiling on ${availableParallelism()} cores, about 5 minutes on two`)
  await step('meson', ['setup', 'out', ...mesonOptions])
  await step('ninja', ['-C', 'out', 'mediasoup-worker'])
  return join(folder, 'out', 'mediasoup-worker')
}
