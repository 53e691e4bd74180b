import type { ListSignatures } from '@conclave/client/media'
import { type Bytes, concatBytes, equalBytes } from '@conclave/core/codec'
import {
  CONCLAVE_KID_LAYOUT,
  decodeDigestList,
  decodeKid,
  webCryptoHash,
} from '@conclave/core/sframe'

const hash = webCryptoHash(crypto.subtle)

/** A leaf's signatures, in whose place a hash stands: who may sign is not in question here. */
export function listSignatures(ownLeaf: number): ListSignatures {
  return {
    sign: (list) => signatureOf(ownLeaf, list),
    async judge({ list, signature }) {
      const { leaf } = decodeKid(CONCLAVE_KID_LAYOUT, decodeDigestList(list)?.kid ?? 0n)
      return equalBytes(signature, await signatureOf(leaf, list)) ? 'valid' : 'invalid'
    },
  }
}

async function signatureOf(leaf: number, list: Bytes): Promise<Bytes> {
  const half = await hash(concatBytes(Uint8Array.of(leaf), list))
  // As long as a signature with Ed25519.
  return concatBytes(half, half)
}
