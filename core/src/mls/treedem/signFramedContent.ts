import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { type Signer, signWithLabel } from '../../crypto/secret/sign.ts'
import { type FramedContent, FramedContentTbs } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { framedContentLabel, framedContentTbs } from '../public/contentSignature.ts'

/** RFC 9420 §6.1: the signature covers the wire format that the content goes out in. */
export function signFramedContent(
  signer: Signer,
  wireFormat: number,
  content: FramedContent,
  context: GroupContext,
): Promise<Bytes> {
  const tbs = framedContentTbs(wireFormat, content, context)
  return signWithLabel(signer, framedContentLabel, encode(FramedContentTbs, tbs))
}
