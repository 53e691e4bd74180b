import { toHex, utf8 } from '@conclave/core/codec'
import { Secret, type SecretSuite } from '@conclave/core/crypto/secret'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import { describe, expect, it } from 'vitest'
import { seededRandom, suiteIds } from './suite.ts'

const message = utf8('message')
const info = utf8('info')

function suiteOf(options: Parameters<typeof nodeCrypto>[0], id: number): SecretSuite {
  const suite = nodeCrypto(options).secretSuite(id)
  if (suite === undefined) throw new Error(`suite ${id} is missing`)
  return suite
}

/** Whether a promise settles before the event loop turns: nothing else can have run meanwhile. */
async function settlesInMicrotasks(work: Promise<unknown>): Promise<boolean> {
  let settled = false
  const done = work.then(() => {
    settled = true
  })
  for (let turn = 0; turn < 1000 && !settled; turn++) await Promise.resolve()
  const inTime = settled
  await done
  return inTime
}

describe.each(suiteIds)('the deterministic mode, suite %i', (id) => {
  it('settles every operation in microtasks', async () => {
    const suite = suiteOf({ random: seededRandom('microtasks'), deterministic: true }, id)
    const { Nh, Nk, Nn } = suite.suite
    const own = await suite.deriveKeyPair(new Secret(new Uint8Array(Nh)))
    const sealed = await suite.hpkeSeal(own.publicKey, info, message)
    const signer = await suite.generateSigner()
    const signature = await signer.sign(message)
    const signed = { publicKey: signer.publicKey, message, signature }
    const key = new Secret(new Uint8Array(Nk))
    const nonce = new Uint8Array(Nn)
    const ciphertext = await suite.aeadSeal(key, nonce, info, message)
    const { publicKey } = own
    const operations: Record<string, () => Promise<unknown>> = {
      deriveKeyPair: () => suite.deriveKeyPair(new Secret(new Uint8Array(Nh))),
      hpkeSeal: () => suite.hpkeSeal(publicKey, info, message),
      hpkeSealAll: () => suite.hpkeSealAll(info, [{ publicKey, plaintext: message }]),
      hpkeOpen: () => suite.hpkeOpen(own, info, sealed),
      hpkeSealExport: () => suite.hpkeSealExport(publicKey, info, info, 32),
      hpkeOpenExport: () => suite.hpkeOpenExport(own, sealed.kemOutput, info, info, 32),
      generateSigner: () => suite.generateSigner(),
      sign: () => signer.sign(message),
      verify: () => suite.verify(signer.publicKey, message, signature),
      verifyAll: () => suite.verifyAll([signed, signed, signed]),
      aeadSeal: () => suite.aeadSeal(key, nonce, info, message),
      aeadOpen: () => suite.aeadOpen(key, nonce, info, ciphertext),
    }
    for (const [name, operation] of Object.entries(operations)) {
      expect(await settlesInMicrotasks(operation()), name).toBe(true)
    }
  })

  it('gives the same bytes for the same randomness', async () => {
    const run = async () => {
      const suite = suiteOf({ random: seededRandom('replayed'), deterministic: true }, id)
      const { publicKey } = await suite.deriveKeyPair(new Secret(new Uint8Array(suite.suite.Nh)))
      const signer = await suite.generateSigner()
      const { kemOutput, ciphertext } = await suite.hpkeSeal(publicKey, info, message)
      const { exported } = await suite.hpkeSealExport(publicKey, info, info, 32)
      const signature = await signer.sign(message)
      return [kemOutput, ciphertext, exported.expose(), signer.publicKey, signature].map(toHex)
    }
    expect(await run()).toEqual(await run())
  })
})

describe('the default mode', () => {
  it('verifies many signatures on other threads', async () => {
    const suite = suiteOf({}, 1)
    const signer = await suite.generateSigner()
    const signature = await signer.sign(message)
    const signed = { publicKey: signer.publicKey, message, signature }
    expect(await settlesInMicrotasks(suite.verifyAll([signed]))).toBe(false)
  })

  it('says of each of many signatures whether it holds, in their order', async () => {
    const suite = suiteOf({}, 1)
    const signer = await suite.generateSigner()
    const publicKey = signer.publicKey
    const signature = await signer.sign(message)
    const good = { publicKey, message, signature }
    const bad = { publicKey, message: info, signature }
    const malformed = { publicKey, message, signature: signature.subarray(1) }
    const noPoint = { publicKey: new Uint8Array(32).fill(2), message, signature }
    const many = [good, bad, good, malformed, good, noPoint, good]
    const expected = [true, false, true, false, true, false, true]
    expect(await suite.verifyAll(many)).toEqual(expected)
    expect(await suite.verifyAll([])).toEqual([])
  })

  it.each(suiteIds)('draws its own randomness where none is given, suite %i', async (id) => {
    const suite = suiteOf({}, id)
    const own = await suite.deriveKeyPair(new Secret(new Uint8Array(suite.suite.Nh)))
    const first = await suite.hpkeSeal(own.publicKey, info, message)
    const second = await suite.hpkeSeal(own.publicKey, info, message)
    expect(second.kemOutput).not.toEqual(first.kemOutput)
    expect(await suite.hpkeOpen(own, info, first)).toEqual(message)
    expect(await suite.hpkeOpen(own, info, second)).toEqual(message)
    const [one, another] = [await suite.generateSigner(), await suite.generateSigner()]
    expect(one.publicKey).not.toEqual(another.publicKey)
    expect(suite.random(32)).not.toEqual(suite.random(32))
  })

  it('seals to many under one info, in their order', async () => {
    const suite = suiteOf({}, 1)
    const keys = await Promise.all(
      [1, 2, 3].map((seed) => suite.deriveKeyPair(new Secret(new Uint8Array(32).fill(seed)))),
    )
    const sealed = await suite.hpkeSealAll(
      info,
      keys.map(({ publicKey }, i) => ({ publicKey, plaintext: Uint8Array.of(i) })),
    )
    for (const [i, key] of keys.entries()) {
      const own = sealed[i]
      if (own === undefined) throw new Error('one is missing')
      expect(await suite.hpkeOpen(key, info, own)).toEqual(Uint8Array.of(i))
    }
    expect(await suite.hpkeSealAll(info, [])).toEqual([])
  })
})
