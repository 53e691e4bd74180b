import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, throwIfInterrupted } from '../entry/processes.mjs'
import { addToCache, installedMediasoup, isUsableWorker } from './cache.mjs'

/**
 * Fetches mediasoup's prebuilt worker with mediasoup's own script.
 *
 * The script works in the current folder: a temporary one, so that an attempt cut short leaves
 * nothing behind in node_modules.
 *
 * @param {string} node a Node that mediasoup's script runs on
 * @param {(line: string) => void} say
 * @param {number} [limitMs] when to give up
 * @returns {Promise<string | undefined>} path of the cached executable
 * @throws SetupError `interrupted`
 */
export async function downloadWorker(node, say, limitMs = 15_000) {
  const mediasoup = installedMediasoup()
  const folder = await mkdtemp(join(tmpdir(), 'conclave-worker-download-'))
  try {
    const ended = await run(node, [join(mediasoup.path, 'npm-scripts.mjs'), 'postinstall'], {
      cwd: folder,
      // Without a download the script builds a worker from sources on the web, through Python.
      // With `false` as its Python that ends at once: building is our next step.
      env: { ...process.env, PYTHON: 'false' },
      ownGroup: true,
      timeoutMs: limitMs,
      onLine: (line) => {
        if (/failed to|no available/.test(line)) say(`  ${reason(line)}`)
      },
    })
    throwIfInterrupted(ended)
    if (ended.timedOut) say(`  no download within ${limitMs / 1000} s`)
    if (ended.code !== 0) return undefined
    const worker = join(folder, 'worker', 'out', 'Release', 'mediasoup-worker')
    return isUsableWorker(worker) ? addToCache('prebuilt', worker) : undefined
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What follows the script's own prefix. @param {string} line */
function reason(line) {
  return line.split(' | ').at(-1) ?? line
}
