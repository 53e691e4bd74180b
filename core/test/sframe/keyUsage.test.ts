import { FrameEncryptor, FrameKeys, KEY_BLOCKS, KeyUsage } from '@conclave/core/sframe'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../virtualClock.ts'
import { aead, epochOf } from './party.ts'

describe('what a key may encrypt', () => {
  it('is 2^36 blocks, by which its use is off from ideal by 2^-57', () => {
    expect(KEY_BLOCKS ** 2 / 2 ** 129).toBe(2 ** -57)
    const usage = new KeyUsage()
    expect(usage.take((KEY_BLOCKS - 2) * 16, 0)).toBe(true)
    expect(usage.take(0, 0)).toBe(false)
  })

  it('counts each begun block, and two for lengths and tag', () => {
    const usage = new KeyUsage({ limit: 10 })
    expect(usage.take(17, 1)).toBe(true)
    // Five are left.
    expect(usage.take(48, 1)).toBe(false)
    expect(usage.take(48, 0)).toBe(true)
    expect(usage.take(0, 0)).toBe(false)
  })

  it('is worn at three quarters, once', () => {
    let worn = 0
    const usage = new KeyUsage({ limit: 12, onWorn: () => worn++ })
    usage.take(64, 0)
    expect(worn).toBe(0)
    usage.take(16, 0)
    expect(worn).toBe(1)
    usage.take(0, 0)
    expect(worn).toBe(1)
  })
})

describe('frames of a key', () => {
  const frame = new Uint8Array(32)
  const metadata = new Uint8Array(16)

  it('stop when it has encrypted as much as it may, and go on in the next epoch', async () => {
    const clock = new VirtualClock()
    const worn: bigint[] = []
    const onWorn = (epoch: bigint) => worn.push(epoch)
    const keys = new FrameKeys({ aead, clock, keyBlocks: 20, onWorn })
    keys.installEpoch(epochOf(1n, 0))
    const encryptor = new FrameEncryptor(keys, 'camera')
    const results = []
    for (let sent = 0; sent < 5; sent++) results.push(await encryptor.encrypt(metadata, frame))
    expect(results.map((result) => (result.ok ? 'sent' : result.reason))).toEqual([
      ...['sent', 'sent', 'sent', 'sent'],
      'key-exhausted',
    ])
    expect(worn).toEqual([1n])
    const other = new FrameEncryptor(keys, 'microphone')
    expect(await other.encrypt(metadata, frame)).toMatchObject({ ok: true })

    keys.installEpoch(epochOf(2n, 0))
    clock.advance(300)
    expect(await encryptor.encrypt(metadata, frame)).toMatchObject({ ok: true, epoch: 2n })
    expect(worn).toEqual([1n])
    keys.close()
  })
})
