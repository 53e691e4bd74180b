import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createTokenVerifier,
  mintToken,
  RemoteKeySet,
  type SigningKey,
  type TokenVerifier,
} from '@conclave/core/access'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../virtualClock.ts'
import { keyPair } from './keyPair.ts'

const url = 'https://app.example/.well-known/jwks.json'
const accepted = { identity: 'alice' }
const refused = { code: 'token-signature' }
const unavailable = { code: 'access-keys-unavailable', remedy: expect.any(String) as string }
const [minute, hour] = [60_000, 3_600_000]

/** A backend whose key set the test changes. */
class Backend {
  readonly clock = new VirtualClock()
  readonly verifier: TokenVerifier
  answer: unknown
  fetches = 0

  constructor(...keys: readonly object[]) {
    this.publish(...keys)
    const fetch = async () => {
      this.fetches += 1
      await Promise.resolve()
      const { answer } = this
      if (answer instanceof Error) throw answer
      return { ok: true, status: 200, json: () => Promise.resolve(answer) }
    }
    const remote = new RemoteKeySet({ url, fetch, clock: this.clock })
    this.verifier = createTokenVerifier({ keys: [], remote, clock: this.clock })
  }

  publish(...keys: readonly object[]): void {
    this.answer = { keys }
  }

  async verify(key: SigningKey) {
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, key, this.clock)
    return await this.verifier.verify(token)
  }
}

describe('a key set that the backend serves', () => {
  test('is fetched once for all tokens under its keys', async () => {
    const key = await keyPair('EdDSA', 'k1')
    const backend = new Backend(key.publicJwk)
    expect(backend.fetches).toBe(0)
    await Promise.all([backend.verify(key.signing), backend.verify(key.signing)])
    backend.clock.advance(9 * minute)
    await expect(backend.verify(key.signing)).resolves.toMatchObject(accepted)
    expect(backend.fetches).toBe(1)
  })

  test('changes its keys with an overlap, and nobody is turned away', async () => {
    const [old, next] = await Promise.all([keyPair('ES256', 'old'), keyPair('EdDSA', 'next')])
    const backend = new Backend(old.publicJwk)
    await expect(backend.verify(old.signing)).resolves.toMatchObject(accepted)

    backend.clock.advance(minute)
    backend.publish(next.publicJwk, old.publicJwk)
    await expect(backend.verify(next.signing)).resolves.toMatchObject(accepted)
    await expect(backend.verify(old.signing)).resolves.toMatchObject(accepted)

    backend.publish(next.publicJwk)
    backend.clock.advance(10 * minute)
    await expect(backend.verify(old.signing)).rejects.toMatchObject(refused)
    await expect(backend.verify(next.signing)).resolves.toMatchObject(accepted)
    expect(backend.fetches).toBe(3)
  })

  test('is not fetched for every token with a made-up key id', async () => {
    const [key, stray] = await Promise.all([keyPair('EdDSA', 'k1'), keyPair('EdDSA', 'stray')])
    const backend = new Backend(key.publicJwk)
    await backend.verify(key.signing)
    backend.clock.advance(30_000)
    for (let attempt = 0; attempt < 20; attempt++) {
      await expect(backend.verify(stray.signing)).rejects.toMatchObject(refused)
      backend.clock.advance(1000)
    }
    expect(backend.fetches).toBe(2)
  })

  test('keeps its keys for an hour while it cannot be fetched, and no longer', async () => {
    const key = await keyPair('EdDSA', 'k1')
    const backend = new Backend(key.publicJwk)
    await backend.verify(key.signing)
    backend.answer = new Error('unreachable')
    backend.clock.advance(hour - 1)
    await expect(backend.verify(key.signing)).resolves.toMatchObject(accepted)
    backend.clock.advance(1)
    await expect(backend.verify(key.signing)).rejects.toMatchObject(unavailable)
    backend.publish(key.publicJwk)
    backend.clock.advance(minute)
    await expect(backend.verify(key.signing)).resolves.toMatchObject(accepted)
  })

  test.each<[string, unknown]>([
    ['fails', new Error('unreachable')],
    ['has no keys', { keys: [] }],
    ['is something else', 'hello'],
    ['is null', null],
  ])('that %s is asked for at most twice a minute, and no token is accepted', async (_, answer) => {
    const key = await keyPair('EdDSA', 'k1')
    const backend = new Backend()
    backend.answer = answer
    for (let second = 0; second < 60; second += 5) {
      await expect(backend.verify(key.signing)).rejects.toMatchObject(unavailable)
      backend.clock.advance(5000)
    }
    expect(backend.fetches).toBe(2)
  })

  test('that does not answer in five seconds is given up', async () => {
    const clock = new VirtualClock()
    const fetch = (_: string, { signal }: { signal: AbortSignal }) =>
      new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    const asked = new RemoteKeySet({ url, fetch, clock }).keysFor('k1')
    clock.advance(5000)
    await expect(asked).rejects.toMatchObject(unavailable)
    expect(clock.pendingTimers).toBe(0)
  })

  test('is fetched over HTTP by the platform’s fetch, and redirects are not followed', async () => {
    const { publicJwk, signing } = await keyPair('RS256', 'k1')
    const server = createServer(({ url: path }, response) => {
      if (path === '/moved') response.writeHead(302, { location: '/jwks.json' }).end()
      else response.end(JSON.stringify({ keys: [publicJwk] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    const { port } = server.address() as AddressInfo
    const clock = new VirtualClock()
    const verifierAt = (path: string) => {
      const at = `http://127.0.0.1:${port}${path}`
      const remote = new RemoteKeySet({ url: at, fetch: globalThis.fetch, clock })
      return createTokenVerifier({ keys: [], remote, clock })
    }
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, signing, clock)
    await expect(verifierAt('/jwks.json').verify(token)).resolves.toMatchObject(accepted)
    await expect(verifierAt('/moved').verify(token)).rejects.toMatchObject(unavailable)
  })
})
