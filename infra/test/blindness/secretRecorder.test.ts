import { utf8 } from '@conclave/core/codec'
import { Secret, type SecretSuite } from '@conclave/core/crypto/secret'
import { describe, expect, test } from 'vitest'
import { type CipherSuite, cipherSuites } from '../../../core/src/crypto/public/cipherSuite.ts'
import { nodePublicPlatform } from '../../../core/src/crypto/public/node/platform.ts'
import { nodeAead } from '../../../core/src/crypto/secret/node/aead.ts'
import { nodeGroup } from '../../../core/src/crypto/secret/node/group.ts'
import { nodeKdf } from '../../../core/src/crypto/secret/node/kdf.ts'
import {
  aeadOperations,
  groupOperations,
  kdfOperations,
  platformOperations,
  SecretRecorder,
  suiteOperations,
} from './secretRecorder.ts'

const info = utf8('what for')

function suiteOf(recorder: SecretRecorder): SecretSuite {
  const suite = recorder.crypto.secretSuite(1)
  if (suite === undefined) throw new Error('suite 1 is missing')
  return suite
}

function unclassified(provider: object, operations: object): string[] {
  return Object.keys(provider).filter((name) => !Object.hasOwn(operations, name))
}

describe('the recorder of secrets', () => {
  test('classifies every operation of the provider, and of the platform below it', () => {
    const suite = suiteOf(new SecretRecorder())
    expect(Object.keys(suite).sort()).toEqual(Object.keys(suiteOperations).sort())
    const { suite: parameters } = suite
    expect(unclassified(nodePublicPlatform({}), platformOperations)).toEqual([])
    expect(unclassified(nodeKdf(parameters), kdfOperations)).toEqual([])
    expect(unclassified(nodeAead(parameters), aeadOperations)).toEqual([])
    expect(unclassified(nodeGroup(parameters, true), groupOperations)).toEqual([])
  })

  test('notices an operation that is new', () => {
    const grown = { ...suiteOf(new SecretRecorder()), unwrap: () => new Uint8Array(32) }
    expect(unclassified(grown, suiteOperations)).toEqual(['unwrap'])
  })

  test('has what every operation gave', async () => {
    const recorder = new SecretRecorder()
    const suite = suiteOf(recorder)
    const drawn = suite.random(32)
    const extracted = suite.extract(new Uint8Array(32), drawn)
    const expanded = suite.expand(extracted, info, 16)
    const pair = await suite.deriveKeyPair(new Secret(expanded.slice()))
    const sent = await suite.hpkeSealExport(pair.publicKey, info, info, 32)
    const received = await suite.hpkeOpenExport(pair, sent.kemOutput, info, info, 32)
    const imported = globalThis.crypto.getRandomValues(new Uint8Array(32))
    await suite.importSigner(new Secret(imported.slice()))
    for (const bytes of [drawn, extracted, expanded, imported]) {
      expect(recorder.has(bytes)).toBe(true)
    }
    for (const secret of [pair.privateKey, sent.exported, received]) {
      expect(recorder.has(secret.expose())).toBe(true)
    }
  })

  test('has the keys inside HPKE, and of signers that are generated', async () => {
    const recorder = new SecretRecorder()
    const suite = suiteOf(recorder)
    const pair = await suite.deriveKeyPair(new Secret(suite.random(32)))
    const before = recorder.secrets.length
    const sealed = await suite.hpkeSeal(pair.publicKey, info, info)
    // An ephemeral key and its seed, what they share, key and nonce, and what is between them.
    expect(recorder.secrets.length).toBeGreaterThan(before + 5)
    const after = recorder.secrets.length
    await suite.hpkeOpen(pair, info, sealed)
    // The receiver has no others.
    expect(recorder.secrets.length).toBe(after)
    await suite.generateSigner()
    expect(recorder.names).toContain('signature private key')
  })

  test('has nothing that a group shows', async () => {
    const recorder = new SecretRecorder()
    const suite = suiteOf(recorder)
    const pair = await suite.deriveKeyPair(new Secret(suite.random(32)))
    const signer = await suite.generateSigner()
    const shown = [
      pair.publicKey,
      signer.publicKey,
      await signer.sign(info),
      suite.hash(info),
      suite.mac(suite.random(32), info),
      (await suite.hpkeSeal(pair.publicKey, info, info)).kemOutput,
      // A group id's length.
      suite.random(16),
    ]
    for (const bytes of shown) expect(recorder.has(bytes)).toBe(false)
    expect(recorder.identifiers).toHaveLength(1)
  })

  test('draws no secret of an identifier’s length in the default suite', () => {
    const { Nh, Nsk } = cipherSuites.get(1) as CipherSuite
    expect([Nh, Nsk]).not.toContain(16)
  })

  test('has the keys of frames', () => {
    const recorder = new SecretRecorder()
    const baseKey = globalThis.crypto.getRandomValues(new Uint8Array(16))
    recorder.takeFrameKeys(baseKey, 3n, [0, 1])
    expect(recorder.has(baseKey)).toBe(true)
    // For two leaves of four sources: keys and salts.
    expect(recorder.secrets).toHaveLength(2 + 2 * 4 * 2)
  })
})
