import type { Bytes } from '@conclave/core/codec'

const groups = 6
const bytesPerGroup = 5

/**
 * The epoch authenticator (RFC 9420 §8.7) as people compare it: 30 decimal digits in groups of
 * five. Equal codes mean equal views of the whole group in this epoch.
 */
export function safetyCode(epochAuthenticator: Bytes): string {
  return Array.from({ length: groups }, (_, group) => {
    const start = group * bytesPerGroup
    // 40 bits for 5 digits: the bias is below one in ten million.
    const value = epochAuthenticator
      .subarray(start, start + bytesPerGroup)
      .reduce((sum, byte) => sum * 256 + byte, 0)
    return String(value % 100_000).padStart(5, '0')
  }).join(' ')
}
