import { type Bytes, utf8 } from '../../codec/bytes.ts'

/** RFC 9420 §5.1.2, §5.1.3, §8: every label is prefixed with the protocol's name. */
export function mlsLabel(label: string): Bytes {
  return utf8(`MLS 1.0 ${label}`)
}
