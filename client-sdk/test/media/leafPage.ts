import { createHash } from 'node:crypto'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import {
  CONCLAVE_KID_LAYOUT,
  decodeDigestList,
  decodeKid,
  type ListJudgement,
  type SignedDigestList,
} from '@conclave/core/sframe'
import type { ListSignatures } from '../../src/media/frameCryptor.ts'

/** A page whose leaf has a key: a hash stands in for what only it can make of a list. */
export class LeafPage implements ListSignatures {
  readonly leaf: number
  asked = 0

  constructor(leaf: number) {
    this.leaf = leaf
  }

  async sign(list: Bytes): Promise<Bytes | undefined> {
    this.asked++
    return signatureOf(this.leaf, list)
  }

  async judge({ list, signature }: SignedDigestList): Promise<ListJudgement> {
    this.asked++
    const { leaf } = decodeKid(CONCLAVE_KID_LAYOUT, decodeDigestList(list)?.kid ?? 0n)
    return equalBytes(signature, signatureOf(leaf, list)) ? 'valid' : 'invalid'
  }
}

function signatureOf(leaf: number, list: Bytes): Bytes {
  return Uint8Array.from(createHash('sha256').update(`leaf ${leaf}`).update(list).digest())
}
