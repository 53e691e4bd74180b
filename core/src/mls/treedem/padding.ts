import { maxVectorLength } from '../../codec/buffers.ts'
import { MlsError } from '../mlsError.ts'

/** How many zero bytes follow a content of `length` bytes (RFC 9420 §6.3.1). */
export type Padding = (contentLength: number) => number

/** Leaves the length of every content to be seen. */
export const noPadding: Padding = () => 0

/**
 * Up to the next multiple of `size` bytes.
 * @throws MlsError `message-padding-invalid` unless `size` is a positive whole number
 */
export function padToMultipleOf(size: number): Padding {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new MlsError('message-padding-invalid', `padding to multiples of ${size}`)
  }
  return (length) => (size - (length % size)) % size
}

/**
 * Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
 * PURBs", 2019): a length keeps only its leading bits, so that it tells O(log log length) bits at a
 * cost of at most 12 %.
 */
export const padme: Padding = (length) => {
  if (length < 2) return 0
  const exponent = 31 - Math.clz32(length)
  const mantissaBits = 32 - Math.clz32(exponent)
  const mask = 2 ** (exponent - mantissaBits) - 1
  return exponent > mantissaBits ? Math.ceil(length / (mask + 1)) * (mask + 1) - length : 0
}

/** The AEADs of all cipher suites add 16 bytes, which have to fit too. */
const maxPlaintextLength = maxVectorLength - 16

/** @throws MlsError `message-padding-invalid` */
export function paddingLength(padding: Padding, contentLength: number): number {
  const length = padding(contentLength)
  if (!Number.isSafeInteger(length) || length < 0 || length > maxPlaintextLength - contentLength) {
    throw new MlsError('message-padding-invalid', `${length} bytes of padding`)
  }
  return length
}
