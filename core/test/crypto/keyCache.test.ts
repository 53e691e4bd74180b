import { expect, it } from 'vitest'
import { KeyCache } from '../../src/crypto/secret/keyCache.ts'
import { Secret } from '../../src/crypto/secret/secret.ts'

it('a key is imported once for a secret, and for its copy once more', () => {
  const cache = new KeyCache<{ imported: number }>()
  const secret = new Secret(new Uint8Array(32))
  let imports = 0
  const importKey = () => ({ imported: ++imports })
  expect(cache.get(secret, importKey)).toEqual({ imported: 1 })
  expect(cache.get(secret, importKey)).toEqual({ imported: 1 })
  expect(cache.get(secret.copy(), importKey)).toEqual({ imported: 2 })
})

it('a wiped secret has no imported key either', () => {
  const cache = new KeyCache<object>()
  const secret = new Secret(new Uint8Array(32))
  cache.get(secret, () => ({}))
  secret.wipe()
  expect(() => cache.get(secret, () => ({}))).toThrow(
    expect.objectContaining({ code: 'crypto-secret-wiped' }),
  )
})
