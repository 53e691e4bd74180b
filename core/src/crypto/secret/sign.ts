import type { Bytes } from '../../codec/bytes.ts'
import { signContent } from '../public/verifyWithLabel.ts'

/** A signature key that signs without showing itself: it may be non-extractable or remote. */
export interface Signer {
  readonly publicKey: Bytes
  sign(message: Bytes): Promise<Bytes>
}

/** RFC 9420 §5.1.2 */
export function signWithLabel(signer: Signer, label: string, content: Bytes): Promise<Bytes> {
  return signer.sign(signContent(label, content))
}
