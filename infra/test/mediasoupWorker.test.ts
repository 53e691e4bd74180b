import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import * as mediasoup from 'mediasoup'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { addToCache, cachedWorker, installedMediasoup } from '../mediasoup-worker/cache.mjs'
import { downloadWorker } from '../mediasoup-worker/download.mjs'
import { readyWorker, resolveWorker } from '../mediasoup-worker/resolve.mjs'

const worker = readyWorker() ?? ''

describe('mediasoup’s worker', () => {
  it('starts, routes video and answers a DTLS transport’s fingerprint', async () => {
    const started = await mediasoup.createWorker({ workerBin: worker, logLevel: 'error' })
    try {
      const router = await started.createRouter({
        mediaCodecs: [{ kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 }],
      })
      const transport = await router.createWebRtcTransport({
        listenInfos: [{ protocol: 'udp', ip: '127.0.0.1' }],
      })
      expect(transport.dtlsParameters.fingerprints.length).toBeGreaterThan(0)
      expect(transport.iceCandidates.length).toBe(1)
    } finally {
      started.close()
    }
  })
})

describe('finding the worker', () => {
  let folder = ''
  let server: Server | undefined

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-worker-test-'))
    vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
    vi.stubEnv('MEDIASOUP_WORKER_BIN', '')
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    server?.closeAllConnections()
    server?.close()
    server = undefined
    await rm(folder, { recursive: true, force: true })
  })

  async function serve(answer: Parameters<typeof createServer>[1]): Promise<void> {
    const listening = createServer(answer)
    server = listening
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    const { port } = listening.address() as AddressInfo
    vi.stubEnv('MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL', `http://127.0.0.1:${port}`)
  }

  it('takes the one that the environment names, and refuses one that does not run', () => {
    vi.stubEnv('MEDIASOUP_WORKER_BIN', worker)
    expect(readyWorker()).toBe(worker)
    vi.stubEnv('MEDIASOUP_WORKER_BIN', '/bin/true')
    expect(readyWorker).toThrow(expect.objectContaining({ code: 'worker-unusable' }))
  })

  it('takes a cached one only while it still runs', async () => {
    expect(cachedWorker()).toBeUndefined()
    const cached = addToCache('built', worker)
    expect(cachedWorker()).toBe(cached)
    expect(await resolveWorker()).toBe(cached)
    await writeFile(cached, 'no longer an executable')
    expect(cachedWorker()).toBeUndefined()
  })

  it('caches mediasoup’s prebuilt worker where its server has one', async () => {
    copyFileSync(worker, join(folder, 'mediasoup-worker'))
    const archive = spawnSync('tar', ['-C', folder, '-cz', 'mediasoup-worker'], {
      maxBuffer: 100_000_000,
    }).stdout
    const asked: (string | undefined)[] = []
    await serve((request, response) => {
      asked.push(request.url)
      response.end(archive)
    })

    const downloaded = await downloadWorker(process.execPath, () => {})
    const { version } = installedMediasoup()
    expect(asked).toEqual([expect.stringContaining(`/${version}/mediasoup-worker-${version}-`)])
    expect(downloaded).toBe(cachedWorker())
    expect(readdirSync(dirname(downloaded ?? ''))).toEqual([basename(downloaded ?? '')])
  })

  it('goes without the download when the server has none, and starts no build', async () => {
    await serve((_, response) => response.writeHead(404).end())
    const said: string[] = []
    expect(await downloadWorker(process.execPath, (line) => said.push(line))).toBeUndefined()
    expect(said.join()).toContain('no available mediasoup-worker prebuilt binary')
    expect(cachedWorker()).toBeUndefined()
  })

  it('gives up a download that does not end', async () => {
    await serve((_, response) => response.write('the first bytes'))
    const said: string[] = []
    const started = performance.now()
    expect(await downloadWorker(process.execPath, (line) => said.push(line), 3_000)).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(15_000)
    expect(said.join()).toContain('no download within 3 s')
    expect(cachedWorker()).toBeUndefined()
  })
})
