import { readAccessKeys } from '@conclave/core/access'
import { describe, expect, test } from 'vitest'
import { keyPair } from './keyPair.ts'

const fetch = () => Promise.reject(new Error('nothing is fetched here'))
const read = (texts: Parameters<typeof readAccessKeys>[0]) => readAccessKeys(texts, fetch)

describe('access keys in an environment', () => {
  test('are none where nothing is given', () => {
    expect(read({})).toEqual({ secret: undefined })
    expect(read({ secret: '', secrets: '', publicKeys: ' \n', jwks: '' })).toEqual({ secret: '' })
  })

  test('are a secret, and several by their ids', () => {
    expect(read({ secret: 's', secrets: '{"a":"one","b":"two"}' })).toEqual({
      secret: 's',
      secrets: { a: 'one', b: 'two' },
    })
  })

  test('are public keys, as PEMs one after the other, as a JWK, and as a list', async () => {
    const [one, two] = await Promise.all([keyPair('EdDSA'), keyPair('RS256')])
    const pems = [one.publicPem.trim(), two.publicPem.trim()]
    expect(read({ publicKeys: `# two keys\n${pems.join('\n\n')}\n` }).publicKeys).toEqual(pems)
    const jwks = [one.publicJwk, two.publicJwk]
    expect(read({ publicKeys: JSON.stringify(jwks) }).publicKeys).toEqual(jwks)
    expect(read({ publicKeys: JSON.stringify(jwks[0]) }).publicKeys).toEqual([jwks[0]])
  })

  test('are a key set, or where there is one', () => {
    expect(read({ jwks: '{"keys":[{"kty":"OKP"}]}' }).jwks).toEqual({ keys: [{ kty: 'OKP' }] })
    const url = 'https://app.example/jwks.json'
    expect(read({ jwks: `${url}\n` }).jwks).toEqual({ url, fetch })
  })

  test.each([
    { secrets: 'hush' },
    { secrets: '["hush"]' },
    { secrets: '{"a":{"hush":1}}' },
    { publicKeys: 'hush' },
    { publicKeys: '["hush"]' },
    { jwks: 'hush' },
    { jwks: '{"keys":"hush"}' },
    { jwks: '{"keys":["hush"]}' },
  ])('are refused as %j, without a word of what was given', (texts) => {
    expect(() => read(texts)).toThrow(
      expect.objectContaining({
        code: 'access-key-invalid',
        message: expect.not.stringContaining('hush') as string,
        remedy: expect.stringContaining('give') as string,
      }) as Error,
    )
  })
})
