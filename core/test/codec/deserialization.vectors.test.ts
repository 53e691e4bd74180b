import { CodecError, decode, encode, fromHex, opaque, toHex } from '@conclave/core/codec'
import { expect, it } from 'vitest'
import { describeVector } from '../vectors.ts'

interface HeaderVector {
  readonly vlbytes_header: string
  readonly length: number
}

/** Whether a header states more than a limit: its length is found by asking which it exceeds. */
function exceeds(header: string, limit: number): boolean {
  try {
    decode(opaque(limit), fromHex(header))
    return false
  } catch (error) {
    return error instanceof CodecError && error.code === 'codec-too-long'
  }
}

describeVector<readonly HeaderVector[]>('mls/deserialization.json', (vectors) => {
  it.each(vectors)('$vlbytes_header states a length of $length', ({ vlbytes_header, length }) => {
    expect(exceeds(vlbytes_header, length)).toBe(false)
    if (length > 0) expect(exceeds(vlbytes_header, length - 1)).toBe(true)
  })

  it.each(vectors.filter(({ length }) => length < 2 ** 20))(
    '$length bytes are headed by $vlbytes_header',
    ({ vlbytes_header, length }) => {
      const encoded = encode(opaque(), new Uint8Array(length).fill(7))
      expect(toHex(encoded.subarray(0, vlbytes_header.length / 2))).toBe(vlbytes_header)
      expect(encoded).toHaveLength(vlbytes_header.length / 2 + length)
      expect(decode(opaque(), encoded)).toHaveLength(length)
    },
  )
})
