import { type SecretSuite, webCrypto } from '../../src/crypto/secret/index.ts'
import type { CipherSuiteId } from '../../src/wire/registry.ts'

export const testCrypto = webCrypto(crypto.subtle, (length) =>
  crypto.getRandomValues(new Uint8Array(length)),
)

export function suite(id: CipherSuiteId | number = 1): SecretSuite {
  const found = testCrypto.secretSuite(id)
  if (found === undefined) throw new Error(`no cipher suite ${id}`)
  return found
}

/** The entries of a vector file whose cipher suite is implemented. */
export function implemented<T extends { cipher_suite: number }>(vectors: readonly T[]): T[] {
  return vectors.filter(({ cipher_suite }) => testCrypto.secretSuite(cipher_suite) !== undefined)
}
