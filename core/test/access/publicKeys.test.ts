import { inspect } from 'node:util'
import {
  createTokenVerifier,
  HmacAccessKey,
  mintToken,
  PrivateAccessKey,
  PublicAccessKey,
  type VerifyingKey,
} from '@conclave/core/access'
import {
  decodeProtectedHeader,
  exportSPKI,
  generateKeyPair,
  importJWK,
  SignJWT,
  UnsecuredJWT,
} from 'jose'
import { describe, expect, test } from 'vitest'
import { keyPair, type SignatureAlgorithm } from './keyPair.ts'

const clock = { now: () => Date.UTC(2026, 10, 21), setTimer: () => () => {} }
const alice = { identity: 'alice', meeting: 'standup' }
const payload = { sub: 'mallory', meeting: '*', grants: { manage: true }, exp: 2 ** 40 }
const algorithms: readonly SignatureAlgorithm[] = ['EdDSA', 'ES256', 'RS256']

const verifying = (...keys: VerifyingKey[]) => createTokenVerifier({ keys, clock })

describe.each(algorithms)('a backend with a key for %s', (algorithm) => {
  test('signs tokens that its public key checks, each as PEM and as JWK', async () => {
    const pair = await keyPair(algorithm, 'k1')
    for (const secret of [pair.privatePem, pair.privateJwk]) {
      const token = await mintToken(alice, await PrivateAccessKey.import(secret), clock)
      expect(decodeProtectedHeader(token).alg).toBe(algorithm)
      for (const key of [pair.publicPem, pair.publicJwk]) {
        const verifier = verifying(await PublicAccessKey.import(key))
        expect(await verifier.verify(token)).toMatchObject(alice)
      }
    }
  })

  test('has its tokens refused under another key', async () => {
    const [mine, other] = await Promise.all([keyPair(algorithm), keyPair(algorithm)])
    const verifier = verifying(await PublicAccessKey.import(other.publicPem))
    await expect(
      verifier.verify(await mintToken(alice, mine.signing, clock)),
    ).rejects.toMatchObject({ code: 'token-signature' })
  })

  test('is not fooled by HS256 with the public key as the secret', async () => {
    const { publicPem, publicJwk } = await keyPair(algorithm)
    const verifier = verifying(
      await PublicAccessKey.import(publicPem),
      await PublicAccessKey.import(publicJwk),
      new HmacAccessKey('a secret of more than thirty-two bytes', 'hmac'),
    )
    for (const text of [publicPem, publicPem.trim(), JSON.stringify(publicJwk)]) {
      const forged = await new SignJWT(payload)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(text))
      await expect(verifier.verify(forged)).rejects.toMatchObject({ code: 'token-signature' })
      // Whoever let the token choose would have accepted it.
      await expect(verifying(new HmacAccessKey(text)).verify(forged)).resolves.toMatchObject({
        identity: 'mallory',
      })
    }
  })

  test('has unsigned tokens refused', async () => {
    const { publicPem } = await keyPair(algorithm)
    const verifier = verifying(await PublicAccessKey.import(publicPem))
    const unsigned = new UnsecuredJWT(payload).encode()
    const [, body] = unsigned.split('.')
    const header = (alg: string) => Buffer.from(JSON.stringify({ alg })).toString('base64url')
    for (const token of [unsigned, `${header('NONE')}.${body}.`, `${header(algorithm)}.${body}.`]) {
      await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token-signature' })
    }
  })

  test('is not fooled by a token that brings its own key', async () => {
    const [mine, forger] = await Promise.all([keyPair(algorithm), keyPair(algorithm)])
    const verifier = verifying(await PublicAccessKey.import(mine.publicPem))
    const key = await importJWK(forger.privateJwk, algorithm)
    const brought = { jwk: forger.publicJwk, jku: 'https://evil.example/keys' }
    const forged = await new SignJWT(payload)
      .setProtectedHeader({ alg: algorithm, ...brought })
      .sign(key)
    await expect(verifier.verify(forged)).rejects.toMatchObject({ code: 'token-signature' })
  })
})

describe('a key id', () => {
  test.each([['another'], [''], ['../../dev/null'], ['__proto__'], ["' OR 1=1"]])(
    '%j that no key has leads nowhere',
    async (kid) => {
      const { publicPem, privatePem } = await keyPair('EdDSA')
      const verifier = verifying(await PublicAccessKey.import(publicPem, 'k1'))
      const token = await mintToken(alice, await PrivateAccessKey.import(privatePem, kid), clock)
      await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token-signature' })
    },
  )

  test.each([[7], [null], [{ kid: 'k1' }], [['k1']]])('that is %j is malformed', async (kid) => {
    const { publicPem, privateJwk } = await keyPair('EdDSA')
    const verifier = verifying(await PublicAccessKey.import(publicPem, 'k1'))
    const token = await new SignJWT(payload)
      .setProtectedHeader({ alg: 'EdDSA', kid: kid as never })
      .sign(await importJWK(privateJwk, 'EdDSA'))
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token-malformed' })
  })

  test('of a public key does not make a secret of it, nor the other way round', async () => {
    const { publicPem, signing } = await keyPair('ES256', 'same')
    const hmac = new HmacAccessKey('a secret of more than thirty-two bytes', 'same')
    const verifier = verifying(await PublicAccessKey.import(publicPem, 'same'), hmac)
    for (const key of [signing, hmac]) {
      await expect(verifier.verify(await mintToken(alice, key, clock))).resolves.toMatchObject(
        alice,
      )
    }
    const crossed = await new SignJWT(payload)
      .setProtectedHeader({ alg: 'HS256', kid: 'same' })
      .sign(new TextEncoder().encode(publicPem))
    await expect(verifier.verify(crossed)).rejects.toMatchObject({ code: 'token-signature' })
  })
})

test('a secret takes no other HMAC', async () => {
  const secret = 's'.repeat(64)
  const verifier = verifying(new HmacAccessKey(secret))
  for (const alg of ['HS384', 'HS512']) {
    const token = await new SignJWT(payload)
      .setProtectedHeader({ alg })
      .sign(new TextEncoder().encode(secret))
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token-signature' })
  }
})

test('an RSA key takes no other algorithm of RSA', async () => {
  const { publicPem, privateJwk } = await keyPair('RS256')
  const verifier = verifying(await PublicAccessKey.import(publicPem))
  for (const alg of ['PS256', 'RS512']) {
    const token = await new SignJWT(payload)
      .setProtectedHeader({ alg })
      .sign(await importJWK(privateJwk, alg))
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token-signature' })
  }
})

describe('a key that cannot be used', () => {
  const invalid = { code: 'access-key-invalid', remedy: expect.any(String) as string }

  test('is a private one in the place of a public one, and the other way round', async () => {
    const pair = await keyPair('EdDSA')
    for (const key of [pair.privatePem, pair.privateJwk]) {
      await expect(PublicAccessKey.import(key)).rejects.toMatchObject(invalid)
    }
    for (const key of [pair.publicPem, pair.publicJwk]) {
      await expect(PrivateAccessKey.import(key)).rejects.toMatchObject(invalid)
    }
  })

  test('is one of another kind, for another use, or nothing of the sort', async () => {
    const { publicKey } = await generateKeyPair('ES384', { extractable: true })
    const { publicJwk } = await keyPair('ES256')
    for (const key of [
      await exportSPKI(publicKey),
      { ...publicJwk, use: 'enc' },
      { ...publicJwk, alg: 'ES512' },
      { ...publicJwk, x: 7 },
      { kty: 'oct', k: 'AAAA' },
      {},
      '',
    ]) {
      await expect(PublicAccessKey.import(key)).rejects.toMatchObject(invalid)
    }
  })

  test('is an RSA key of 1024 bits', async () => {
    const { subtle } = globalThis.crypto
    const { publicKey } = await subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 1024,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
      true,
      ['sign', 'verify'],
    )
    await expect(PublicAccessKey.import(await exportSPKI(publicKey))).rejects.toMatchObject(invalid)
  })
})

test('a printed private key does not show itself', async () => {
  const { signing, privateJwk } = await keyPair('EdDSA')
  const printed = inspect(signing, { depth: 9, showHidden: true }) + JSON.stringify(signing)
  expect(printed).not.toContain(privateJwk.d)
})
