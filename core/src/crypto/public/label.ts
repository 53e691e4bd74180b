import { type Bytes, utf8 } from '../../codec/bytes.ts'

/** MLS has some forty labels; an application has few of its own. */
const maxRemembered = 256
const remembered = new Map<string, Bytes>()

/** RFC 9420 §5.1.2, §5.1.3, §8: every label is prefixed with the protocol's name. */
export function mlsLabel(label: string): Bytes {
  const known = remembered.get(label)
  if (known !== undefined) return known
  const prefixed = utf8(`MLS 1.0 ${label}`)
  if (remembered.size < maxRemembered) remembered.set(label, prefixed)
  return prefixed
}
