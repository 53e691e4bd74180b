import type { RandomBytes } from '@conclave/core'
import { utf8 } from '@conclave/core/codec'
import {
  nobleCrypto,
  type SecretCrypto,
  type SecretSuite,
  webCrypto,
} from '@conclave/core/crypto/secret'
import { sha256 } from '@noble/hashes/sha2.js'

/** A stream of bytes that is the same for every run with this seed. */
export function seededRandom(seed: string): RandomBytes {
  let block = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      const next = sha256(utf8(`${seed} ${block++}`))
      bytes.set(next.subarray(0, Math.min(32, length - at)), at)
    }
    return bytes
  }
}

export const suiteIds = [1, 2, 3, 4, 5, 6, 7] as const

type Provider = (random: RandomBytes) => SecretCrypto

/** Every provider that the platform has, by name: in a browser those over node:crypto are missing. */
export const providers: ReadonlyMap<string, Provider> = new Map<string, Provider>([
  ['web', (random) => webCrypto(crypto.subtle, random)],
  ['noble', nobleCrypto],
  ...(await nodeProviders()),
])

export const providerNames = [...providers.keys()]

async function nodeProviders(): Promise<readonly (readonly [string, Provider])[]> {
  if (!('process' in globalThis)) return []
  const { nodeCrypto } = await import('@conclave/core/crypto/secret/node')
  return [
    ['node', (random) => nodeCrypto({ random })],
    ['deterministic node', (random) => nodeCrypto({ random, deterministic: true })],
  ]
}

export function suiteWith(random: RandomBytes, id = 1, provider = 'web'): SecretSuite {
  const suite = providers.get(provider)?.(random).secretSuite(id)
  if (suite === undefined) throw new Error(`suite ${id} of ${provider} is missing`)
  return suite
}

/** A suite of every provider, by the provider's name. */
export function everySuite(id: number): readonly [string, SecretSuite][] {
  return providerNames.map((name) => [name, suiteWith(seededRandom('everywhere'), id, name)])
}
