import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { SignContent } from '../../wire/labels.ts'
import { mlsLabel } from './label.ts'
import type { PublicSuite } from './publicSuite.ts'

/** RFC 9420 §5.1.2: what SignWithLabel signs. */
export function signContent(label: string, content: Bytes): Bytes {
  return encode(SignContent, { label: mlsLabel(label), content })
}

/** RFC 9420 §5.1.2 */
export function verifyWithLabel(
  crypto: PublicSuite,
  publicKey: Uint8Array,
  label: string,
  content: Bytes,
  signature: Uint8Array,
): Promise<boolean> {
  return crypto.verify(publicKey, signContent(label, content), signature)
}

/** The same for what is met again, such as a leaf. */
export function verifyRecurringWithLabel(
  crypto: PublicSuite,
  publicKey: Uint8Array,
  label: string,
  content: Bytes,
  signature: Uint8Array,
): Promise<boolean> {
  return crypto.verify(publicKey, signContent(label, content), signature, 'recurring')
}
