import { createHmac } from 'node:crypto'
import { hmac } from '@noble/hashes/hmac.js'
import { plainBytes } from '../../../codec/bytes.ts'
import type { CipherSuite } from '../../public/cipherSuite.ts'
import { nobleHashes } from '../../public/noble.ts'
import { nodeHash } from '../../public/node/index.ts'
import { type Kdf, kdfOver } from '../kdf.ts'

/**
 * Bytes from which node:crypto's HMAC is the faster: making one costs as much as noble's takes for
 * this much input.
 */
const worthNative = { 'SHA-256': 3072, 'SHA-384': 1024, 'SHA-512': 1024 } as const

export function nodeKdf(suite: CipherSuite): Kdf {
  const portable = nobleHashes[suite.hash]
  const native = nodeHash[suite.hash]
  const limit = worthNative[suite.hash]
  return kdfOver(suite, (key, data) =>
    data.length < limit
      ? plainBytes(hmac(portable, key, data))
      : plainBytes(createHmac(native, key).update(data).digest()),
  )
}
