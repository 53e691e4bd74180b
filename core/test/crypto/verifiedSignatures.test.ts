import { emptyBytes, utf8 } from '@conclave/core/codec'
import {
  type Occurrence,
  type PublicSuite,
  rememberingPublicCrypto,
} from '@conclave/core/crypto/public'
import { rememberingCrypto, type SecretCrypto } from '@conclave/core/crypto/secret'
import { describe, expect, it } from 'vitest'
import { providers, seededRandom, suiteIds } from './suite.ts'

const message = utf8('message')
const occurs: Occurrence = 'recurring'

/** A provider that counts the signatures that it verifies. */
function counting(provider = 'web') {
  const crypto = providers.get(provider)?.(seededRandom('remembering')) as SecretCrypto
  let verified = 0
  const counted = <S extends PublicSuite>(suite: S | undefined): S | undefined =>
    suite && {
      ...suite,
      verify: (...signed) => {
        verified += 1
        return suite.verify(...signed)
      },
      verifyAll: (signed) => {
        verified += signed.length
        return suite.verifyAll(signed)
      },
    }
  return {
    crypto: {
      publicSuite: (id) => counted(crypto.publicSuite(id)),
      secretSuite: (id) => counted(crypto.secretSuite(id)),
    } satisfies SecretCrypto,
    /** How many since this was asked last. */
    verified: () => {
      const before = verified
      verified = 0
      return before
    },
  }
}

async function scene({ id = 1, limit }: { id?: number; limit?: () => number } = {}) {
  const { crypto, verified } = counting()
  const remembering = rememberingCrypto(crypto, limit)
  const suite = remembering.secretSuite(id)
  const publicSuite = remembering.publicSuite(id)
  if (suite === undefined || publicSuite === undefined) throw new Error(`no suite ${id}`)
  const signer = await suite.generateSigner()
  const signed = async (text: string) => ({
    publicKey: signer.publicKey,
    message: utf8(text),
    signature: await signer.sign(utf8(text)),
    occurs,
  })
  return { suite, publicSuite, remembering, signed, verified }
}

describe('a provider that remembers signatures', () => {
  it.each(suiteIds)('verifies a good one once, whoever asks, suite %i', async (id) => {
    const { suite, publicSuite, signed, verified } = await scene({ id })
    const { publicKey, signature } = await signed('message')
    expect(await suite.verify(publicKey, message, signature, occurs)).toBe(true)
    expect(verified()).toBe(1)
    expect(await suite.verify(publicKey, message, signature, occurs)).toBe(true)
    expect(await publicSuite.verify(publicKey, message, signature, occurs)).toBe(true)
    expect(await suite.verifyAll([{ publicKey, message, signature, occurs }])).toEqual([true])
    expect(verified()).toBe(0)
  })

  it('verifies of many only what it does not know, and says it in their order', async () => {
    const { suite, signed, verified } = await scene()
    const [a, b, c] = [await signed('a'), await signed('b'), await signed('c')]
    const bad = { ...b, signature: a.signature }
    expect(await suite.verifyAll([a, c])).toEqual([true, true])
    expect(verified()).toBe(2)
    expect(await suite.verifyAll([bad, a, b, c, bad])).toEqual([false, true, true, true, false])
    expect(verified()).toBe(3)
    expect(await suite.verifyAll([])).toEqual([])
  })

  it('verifies again what was bad', async () => {
    const { suite, signed, verified } = await scene()
    const { publicKey, signature } = await signed('other')
    for (let i = 0; i < 2; i++) {
      expect(await suite.verify(publicKey, message, signature, occurs)).toBe(false)
      expect(verified()).toBe(1)
    }
  })

  it('knows exactly what it verified: key, message, signature and suite', async () => {
    const { suite, remembering, signed, verified } = await scene()
    const { publicKey, signature } = await signed('message')
    const other = await signed('other')
    expect(await suite.verify(publicKey, message, signature, occurs)).toBe(true)
    const flipped = (bytes: Uint8Array) => bytes.with(0, (bytes[0] as number) ^ 1)
    const stranger = await suite.generateSigner()
    expect(await suite.verify(stranger.publicKey, message, signature, occurs)).toBe(false)
    expect(await suite.verify(flipped(publicKey), message, signature, occurs)).toBe(false)
    expect(await suite.verify(publicKey, flipped(message), signature, occurs)).toBe(false)
    expect(await suite.verify(publicKey, message.subarray(1), signature, occurs)).toBe(false)
    expect(await suite.verify(publicKey, message, flipped(signature), occurs)).toBe(false)
    expect(await suite.verify(publicKey, message, other.signature, occurs)).toBe(false)
    expect(await suite.verify(publicKey, emptyBytes, emptyBytes, occurs)).toBe(false)
    verified()
    // It has the same signature scheme.
    const chaCha = remembering.publicSuite(3)
    expect(await chaCha?.verify(publicKey, message, signature, occurs)).toBe(true)
    expect(verified()).toBe(1)
  })

  it('cannot be made to take the end of one part for the beginning of the next', async () => {
    const { suite, signed } = await scene()
    const { publicKey, signature } = await signed('message')
    expect(await suite.verify(publicKey, message, signature, occurs)).toBe(true)
    const whole = new Uint8Array([...publicKey, ...signature, ...message])
    for (const cut of [31, 33, 0, 64]) {
      for (const end of [95, 97, 96]) {
        const parts = [whole.subarray(0, cut), whole.subarray(end), whole.subarray(cut, end)]
        const [key, rest, middle] = parts as [Uint8Array, Uint8Array, Uint8Array]
        expect(await suite.verify(key, rest, middle, occurs)).toBe(false)
      }
    }
  })

  it('forgets what was not asked for the longest, where it is full', async () => {
    const { suite, signed, verified } = await scene({ limit: () => 2 })
    const ask = async ({ publicKey, message, signature }: Awaited<ReturnType<typeof signed>>) => {
      expect(await suite.verify(publicKey, message, signature, occurs)).toBe(true)
      return verified()
    }
    const [a, b, c] = [await signed('a'), await signed('b'), await signed('c')]
    expect([await ask(a), await ask(b), await ask(a), await ask(c)]).toEqual([1, 1, 0, 1])
    expect([await ask(a), await ask(c), await ask(b)]).toEqual([0, 0, 1])
  })

  it('forgets as many as it is to, at the time', async () => {
    let limit = 3
    const { suite, signed, verified } = await scene({ limit: () => limit })
    const all = [await signed('a'), await signed('b'), await signed('c')]
    await suite.verifyAll(all)
    limit = 1
    await suite.verifyAll(all.slice(1))
    expect(verified()).toBe(3)
    await suite.verifyAll(all)
    expect(verified()).toBe(2)
  })

  it('remembers nothing that is met once', async () => {
    const { suite, signed, verified } = await scene({ limit: () => 1 })
    const leaf = await signed('leaf')
    const { publicKey, message, signature } = await signed('message')
    await suite.verifyAll([leaf])
    for (let i = 0; i < 2; i++) {
      expect(await suite.verify(publicKey, message, signature)).toBe(true)
      expect(await suite.verifyAll([{ publicKey, message, signature }, leaf])).toEqual([true, true])
    }
    // The leaf's is still there, although there is room for one.
    expect(verified()).toBe(1 + 2 * 2)
  })

  it('is there for who has no secrets too', async () => {
    const { crypto, verified } = counting()
    const suite = rememberingPublicCrypto(crypto).publicSuite(1)
    const signer = await crypto.secretSuite(1)?.generateSigner()
    if (suite === undefined || signer === undefined) throw new Error('suite 1 is missing')
    const signature = await signer.sign(message)
    for (let i = 0; i < 3; i++) {
      expect(await suite.verify(signer.publicKey, message, signature, occurs)).toBe(true)
    }
    expect(verified()).toBe(1)
    expect(rememberingPublicCrypto(crypto).publicSuite(0xff)).toBeUndefined()
  })
})
