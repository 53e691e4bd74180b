import { createHmac, createSecretKey } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import type { CipherSuite } from '../../public/cipherSuite.ts'
import { nodeHash } from '../../public/node/platform.ts'
import { type Kdf, kdfOver } from '../kdf.ts'

export function nodeKdf(suite: CipherSuite): Kdf {
  const hash = nodeHash[suite.hash]
  // Node takes a key object in a third of the time that it takes the same bytes in.
  return kdfOver(suite, (key, data) =>
    plainBytes(createHmac(hash, createSecretKey(key)).update(data).digest()),
  )
}
