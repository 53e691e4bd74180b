import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WebSocketPayloads } from './webSocketPayloads.ts'

const head = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n')

function frame(payload: Uint8Array, mask: Uint8Array | undefined, first = 0x82): Buffer {
  const masked = mask === undefined ? 0 : 0x80
  const { length } = payload
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  header.writeUInt8(first, 0)
  header.writeUInt8(masked | (length < 126 ? length : length < 65_536 ? 126 : 127), 1)
  if (header.length === 4) header.writeUInt16BE(length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2)
  const sent = payload.map((byte, at) => byte ^ (mask?.[at % 4] ?? 0))
  return Buffer.concat([header, mask ?? Buffer.alloc(0), sent])
}

describe('recorded WebSocket frames', () => {
  test('are unmasked, whatever their size and however they come', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 130 }),
      fc.constantFrom(65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
    )
    const mask = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(payload, mask), { maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        (frames, chunks) => {
          const recorded = new WebSocketPayloads()
          const stream = Buffer.concat([head, ...frames.map(([bytes, key]) => frame(bytes, key))])
          const chunkBytes = Math.ceil(stream.length / chunks)
          for (let at = 0; at < stream.length; at += chunkBytes) {
            recorded.push(stream.subarray(at, at + chunkBytes))
          }
          expect(recorded.messages).toEqual(frames.map(([bytes]) => Buffer.from(bytes)))
        },
      ),
      { numRuns: 30 },
    )
  })

  test('are not taken for searched where they are compressed', () => {
    const recorded = new WebSocketPayloads()
    const compressed = frame(new Uint8Array(3), undefined, 0xc2)
    expect(() => recorded.push(Buffer.concat([head, compressed]))).toThrow('an extension')
  })

  test('are none in plain HTTP', () => {
    const recorded = new WebSocketPayloads()
    recorded.push(Buffer.from('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'))
    expect(recorded.messages).toEqual([])
  })
})
