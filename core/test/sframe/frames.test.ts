import {
  FrameDecryptor,
  FrameEncryptor,
  type FrameKeySource,
  FrameKeys,
  KeyUsage,
  SendCounter,
  type SFrameKey,
} from '@conclave/core/sframe'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../virtualClock.ts'
import { aead, encryptFrame, epochOf, METADATA, Party, PLAINTEXT } from './party.ts'

const camera = { leaf: 0, source: 'camera' } as const

describe('SFrame frames', () => {
  let party: Party
  let decryptor: FrameDecryptor
  beforeEach(() => {
    party = new Party()
    party.install(1n)
    decryptor = party.decryptor(1, camera)
  })

  it.each([1, 2, 3, 4, 5])('come back as they were, suite %i', async (suite) => {
    const clock = new VirtualClock()
    const [alice, bob] = [0, 1].map((leaf) => {
      const keys = new FrameKeys({ aead, clock, suite })
      keys.installEpoch(epochOf(9n, leaf, { baseKey: new Uint8Array(keys.suite.nk).fill(5) }))
      return keys
    }) as [FrameKeys, FrameKeys]
    const encryptor = new FrameEncryptor(alice, 'camera')
    const receiver = new FrameDecryptor(bob, camera)
    const bytes = (maxLength: number) =>
      fc.uint8Array({ maxLength }).map((array) => Uint8Array.from(array))
    await fc.assert(
      fc.asyncProperty(bytes(20), bytes(3000), async (metadata, plaintext) => {
        const sealed = await encryptor.encrypt(metadata, plaintext)
        if (!sealed.ok) throw new Error(sealed.reason)
        const opened = await receiver.decrypt(metadata, sealed.ciphertext)
        expect(opened).toMatchObject({ ok: true, plaintext })
      }),
      { numRuns: 60 },
    )
  })

  it('open once; a second time they are replayed', async () => {
    const frame = await encryptFrame(party.encryptor(0))
    expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
    expect(await decryptor.decrypt(METADATA, frame)).toEqual({ ok: false, reason: 'replayed' })
  })

  it('open once even where both copies are under way together', async () => {
    const frame = await encryptFrame(party.encryptor(0))
    const results = await Promise.all([1, 2, 3].map(() => decryptor.decrypt(METADATA, frame)))
    expect(results.filter((result) => result.ok)).toHaveLength(1)
    expect(results.filter((result) => !result.ok && result.reason === 'replayed')).toHaveLength(2)
  })

  it('open once at each receiver of the same source', async () => {
    const frame = await encryptFrame(party.encryptor(0))
    expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
    expect(await party.decryptor(1, camera).decrypt(METADATA, frame)).toMatchObject({ ok: true })
  })

  it('open in any order within the window', async () => {
    const encryptor = party.encryptor(0)
    const frames = []
    for (let i = 0; i < 40; i++) frames.push(await encryptFrame(encryptor))
    for (const frame of frames.reverse()) {
      expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
    }
  })

  it('of another source or sender are refused by name', async () => {
    const microphone = await encryptFrame(party.encryptor(0, 'microphone'))
    expect(await decryptor.decrypt(METADATA, microphone)).toMatchObject({ reason: 'wrong-source' })
    const other = await encryptFrame(party.encryptor(2))
    expect(await decryptor.decrypt(METADATA, other)).toMatchObject({ reason: 'wrong-sender' })
  })

  it('with other metadata, another key or a flipped bit fail, and do not move the window', async () => {
    const frame = await encryptFrame(party.encryptor(0))
    const mismatch = { ok: false, reason: 'tampered' }
    expect(await decryptor.decrypt(METADATA, await encryptFrame(party.encryptor(0)))).toMatchObject(
      {
        ok: true,
      },
    )
    expect(await decryptor.decrypt(Uint8Array.of(0x11, 0x02), frame)).toEqual(mismatch)
    const outsider = new FrameKeys({ aead, clock: party.clock })
    outsider.installEpoch(epochOf(1n, 0, { baseKey: new Uint8Array(16).fill(1) }))
    const forged = await encryptFrame(new FrameEncryptor(outsider, 'camera'))
    expect(await decryptor.decrypt(METADATA, forged)).toEqual(mismatch)
    for (let i = 4; i < frame.length; i++) {
      const flipped = frame.slice()
      flipped[i] = (flipped[i] as number) ^ 0x20
      expect(await decryptor.decrypt(METADATA, flipped)).toEqual(mismatch)
    }
    expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
  })

  it('fail as of a wrong key until a frame of the same leaf has opened in the epoch, then as tampered', async () => {
    const stray = party.decryptor(1, { leaf: 2, source: 'camera' })
    const microphone = party.decryptor(1, { leaf: 0, source: 'microphone' })
    const failing = async (failed: FrameDecryptor, leaf: number) => {
      const frame = await encryptFrame(party.encryptor(leaf))
      const result = await failed.decrypt(Uint8Array.of(1), frame)
      return result.ok ? 'opened' : result.reason
    }
    expect(await failing(decryptor, 0)).toBe('wrong-key')
    const sound = await encryptFrame(party.encryptor(0, 'microphone'))
    expect(await microphone.decrypt(METADATA, sound)).toMatchObject({ ok: true })
    expect(await failing(decryptor, 0)).toBe('tampered')
    expect(await failing(stray, 2)).toBe('wrong-key')
    expect([microphone.lastEpoch, decryptor.lastEpoch]).toEqual([1n, undefined])
    party.install(2n)
    party.clock.advance(300)
    expect(await failing(decryptor, 0)).toBe('wrong-key')
  })

  it('too short for a tag are truncated', async () => {
    const frame = await encryptFrame(party.encryptor(0))
    const result = await decryptor.decrypt(METADATA, frame.subarray(0, 12))
    expect(result).toEqual({ ok: false, reason: 'truncated' })
  })

  it('never make decrypting throw, whatever they hold', async () => {
    const encryptor = party.encryptor(0)
    const reasons = new Map<string, number>()
    const samples = []
    for (let i = 0; i < 8; i++) samples.push(await encryptFrame(encryptor))
    const mutated = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .tuple(
          fc.constantFrom(...samples),
          fc.array(fc.tuple(fc.nat(50), fc.nat(255)), { maxLength: 3 }),
        )
        .map(([frame, edits]) => {
          const copy = frame.slice()
          for (const [at, value] of edits) copy[at] = value
          return copy
        }),
      fc
        .tuple(fc.constantFrom(...samples), fc.nat(50))
        .map(([frame, length]) => frame.slice(0, length)),
    )
    for (const frame of fc.sample(mutated, { numRuns: 20_000, seed: 9605 })) {
      const result = await decryptor.decrypt(METADATA, Uint8Array.from(frame))
      const outcome = result.ok ? 'opened' : result.reason
      reasons.set(outcome, (reasons.get(outcome) ?? 0) + 1)
    }
    expect(reasons.get('opened')).toBeLessThanOrEqual(samples.length)
    for (const reason of ['malformed-header', 'truncated', 'wrong-key', 'wrong-sender'] as const) {
      expect(reasons.get(reason)).toBeGreaterThan(0)
    }
  })

  it('under incarnations made up by a relay leave the real sender undisturbed', async () => {
    const encryptor = party.encryptor(0)
    const template = await encryptFrame(encryptor)
    expect(await decryptor.decrypt(METADATA, template)).toMatchObject({ ok: true })
    for (let incarnation = 1; incarnation < 50; incarnation++) {
      const keys = new FrameKeys({ aead, clock: party.clock })
      keys.installEpoch(epochOf(1n, 0, { baseKey: new Uint8Array(16).fill(3), incarnation }))
      const forged = await encryptFrame(new FrameEncryptor(keys, 'camera'))
      expect(await decryptor.decrypt(METADATA, forged)).toMatchObject({ reason: 'tampered' })
    }
    expect(await decryptor.decrypt(METADATA, template)).toMatchObject({ reason: 'replayed' })
    const next = await encryptFrame(encryptor)
    expect(await decryptor.decrypt(METADATA, next)).toMatchObject({ ok: true })
  })

  it('withdrawn while they were being opened are not delivered', async () => {
    const frame = await encryptFrame(party.encryptor(2))
    const opening = party.decryptor(1, { leaf: 2, source: 'camera' }).decrypt(METADATA, frame)
    party.install(2n, { leaves: [0, 1], removedLeaves: [2] })
    expect(await opening).toMatchObject({ ok: false })
  })

  it('need only keyFor and sendingKey: a static key is enough', async () => {
    const found = party.member(0).sendingKey('camera')
    const usage = new KeyUsage()
    const key = found?.key as SFrameKey
    const source: FrameKeySource = {
      keyFor: () => ({
        ok: true,
        epoch: 1n,
        key,
        isLeafProven: () => false,
        authenticated: () => key,
      }),
      sendingKey: () => ({ epoch: 1n, key, counter: new SendCounter(900n), usage }),
    }
    const frame = await encryptFrame(new FrameEncryptor(source, 'camera'))
    const result = await new FrameDecryptor(source, camera).decrypt(METADATA, frame)
    expect(result).toMatchObject({ ok: true, plaintext: PLAINTEXT, ctr: 900n })
  })

  it('stop when the counters of a key are used up', async () => {
    const key = party.member(0).sendingKey('camera')?.key as SFrameKey
    const counter = new SendCounter(2n ** 64n - 1n)
    const source: FrameKeySource = {
      keyFor: () => ({ ok: false, reason: 'unknown-key' }),
      sendingKey: () => ({ epoch: 1n, key, counter, usage: new KeyUsage() }),
    }
    const encryptor = new FrameEncryptor(source, 'camera')
    expect(await encryptor.encrypt(METADATA, PLAINTEXT)).toMatchObject({ ok: true })
    expect(await encryptor.encrypt(METADATA, PLAINTEXT)).toEqual({
      ok: false,
      reason: 'counter-exhausted',
    })
    expect(() => counter.take()).toThrow(
      expect.objectContaining({ code: 'sframe-counter-exhausted' }),
    )
  })
})
