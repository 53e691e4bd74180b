import type { Bytes } from '@conclave/core/codec'

const groups = 6
const bytesPerGroup = 5

/** The first 30 bytes of a hash as people compare them: 30 decimal digits in groups of five. */
export function digitsOf(hash: Bytes): string {
  return Array.from({ length: groups }, (_, group) => {
    const start = group * bytesPerGroup
    // 40 bits for 5 digits: the bias is below one in ten million.
    const value = hash
      .subarray(start, start + bytesPerGroup)
      .reduce((sum, byte) => sum * 256 + byte, 0)
    return String(value % 100_000).padStart(5, '0')
  }).join(' ')
}
