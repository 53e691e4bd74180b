import { fileURLToPath } from 'node:url'
import { installPackages, missingPackages } from '../entry/debianPackages.mjs'
import { modernNode } from '../entry/nodeRuntime.mjs'
import { progress } from '../entry/progress.mjs'
import { runMain, SetupError } from '../entry/setupError.mjs'
import { buildPackages, buildWorker } from './build.mjs'
import { cachedWorker, installedMediasoup, isUsableWorker } from './cache.mjs'
import { downloadWorker } from './download.mjs'

/**
 * mediasoup's worker: the one that MEDIASOUP_WORKER_BIN names, else the user's cached one, else
 * mediasoup's prebuilt one, else one built here against the system's libraries.
 *
 * `otherPackages` are Debian packages that the caller is missing, so that one command installs
 * everything.
 *
 * @param {{ otherPackages?: readonly string[], otherPurpose?: string }} [options]
 * @returns {Promise<string>} path of the executable
 * @throws SetupError `worker-unusable`, `system-packages-missing`, `worker-build-failed`,
 *   `worker-source-changed`, `command-failed`, `node-too-old`, `interrupted`
 */
export async function resolveWorker({ otherPackages = [], otherPurpose = 'it' } = {}) {
  const ready = readyWorker() ?? (await fetchWorker())
  if (ready !== undefined) {
    await installPackages(otherPurpose, otherPackages)
    return ready
  }
  const purposes = ['building mediasoup’s worker', ...(otherPackages.length ? [otherPurpose] : [])]
  // Without dpkg the build itself finds out what is missing.
  const missing = missingPackages(buildPackages) ?? []
  await installPackages(purposes.join(' and '), [...missing, ...otherPackages])
  return progress('build mediasoup’s worker against the system’s libraries', () => buildWorker(say))
}

/**
 * The worker that is there without fetching or building one.
 *
 * @throws SetupError `worker-unusable`
 */
export function readyWorker() {
  const named = process.env['MEDIASOUP_WORKER_BIN']
  if (!named) return cachedWorker()
  if (isUsableWorker(named)) return named
  throw new SetupError(
    'worker-unusable',
    `MEDIASOUP_WORKER_BIN=${named} is not a worker that runs`,
    {
      remedy: `name a worker of mediasoup ${installedMediasoup().version}, or unset the variable`,
    },
  )
}

async function fetchWorker() {
  if (process.env['MEDIASOUP_SKIP_WORKER_PREBUILT_DOWNLOAD']) return undefined
  const { version } = installedMediasoup()
  say(`▸ download mediasoup ${version}’s prebuilt worker`)
  return downloadWorker(modernNode(), say)
}

/** @param {string} line */
function say(line) {
  console.error(line)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    console.log(await resolveWorker())
    return 0
  })
}
