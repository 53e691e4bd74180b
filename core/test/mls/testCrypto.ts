import { fromHex } from '../../src/codec/bytes.ts'
import {
  Secret,
  type SecretCrypto,
  type SecretSuite,
  webCrypto,
} from '../../src/crypto/secret/index.ts'
import type { CipherSuiteId } from '../../src/wire/registry.ts'

/** The platform's fastest provider: over node:crypto, in a browser over WebCrypto. */
export const testCrypto = await platformCrypto()

async function platformCrypto(): Promise<SecretCrypto> {
  if ('process' in globalThis) {
    const { nodeCrypto } = await import('../../src/crypto/secret/node/index.ts')
    return nodeCrypto()
  }
  return webCrypto(crypto.subtle, (length) => crypto.getRandomValues(new Uint8Array(length)))
}

export function suite(id: CipherSuiteId | number = 1): SecretSuite {
  const found = testCrypto.secretSuite(id)
  if (found === undefined) throw new Error(`no cipher suite ${id}`)
  return found
}

/** A private key of a vector file. Those of P-521 are there without their leading zeros. */
export function vectorKey({ suite }: SecretSuite, hex: string): Secret {
  return new Secret(fromHex(hex.padStart(2 * suite.Nsk, '0')))
}

/** The entries of a vector file whose cipher suite is implemented. */
export function implemented<T extends { cipher_suite: number }>(vectors: readonly T[]): T[] {
  return vectors.filter(({ cipher_suite }) => testCrypto.secretSuite(cipher_suite) !== undefined)
}
