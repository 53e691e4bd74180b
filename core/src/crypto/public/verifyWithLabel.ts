import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { SignContent } from '../../wire/labels.ts'
import { mlsLabel } from './label.ts'
import type { Occurrence, PublicSuite } from './publicSuite.ts'

/** RFC 9420 §5.1.2: what SignWithLabel signs. */
export function signContent(label: string, content: Bytes): Bytes {
  return encode(SignContent, { label: mlsLabel(label), content })
}

/**
 * RFC 9420 §5.1.2
 * @param occurs whether the signature is met again, as a leaf's is
 */
export function verifyWithLabel(
  crypto: PublicSuite,
  publicKey: Uint8Array,
  label: string,
  content: Bytes,
  signature: Uint8Array,
  occurs?: Occurrence,
): Promise<boolean> {
  return crypto.verify(publicKey, signContent(label, content), signature, occurs)
}
