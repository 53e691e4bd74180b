import {
  CONCLAVE_KID_LAYOUT,
  decodeHeader,
  decodeKid,
  FrameDecryptor,
  FrameEncryptor,
  FrameKeys,
  MAX_INCARNATIONS,
} from '@conclave/core/sframe'
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../virtualClock.ts'
import { aead, baseKeyOf, encryptFrame, epochOf, METADATA, Party, PLAINTEXT } from './party.ts'

const camera = { leaf: 0, source: 'camera' } as const

function epochShownBy(frame: Uint8Array): number {
  return decodeKid(CONCLAVE_KID_LAYOUT, decodeHeader(frame)?.kid ?? -1n).epoch
}

describe('frame keys', () => {
  let party: Party
  beforeEach(() => {
    party = new Party()
  })

  it('open at once what was sent under a new epoch', async () => {
    party.install(1n)
    party.member(0).installEpoch(epochOf(2n, 0, { leaves: [0, 1], removedLeaves: [2] }))
    const early = await encryptFrame(party.encryptor(0))
    expect(epochShownBy(early)).toBe(2)
    const decryptor = party.decryptor(1, camera)
    expect(await decryptor.decrypt(METADATA, early)).toEqual({ ok: false, reason: 'key-not-yet' })
    party.member(1).installEpoch(epochOf(2n, 1, { leaves: [0, 1], removedLeaves: [2] }))
    expect(await decryptor.decrypt(METADATA, early)).toMatchObject({
      ok: true,
      plaintext: PLAINTEXT,
    })
  })

  it('send nothing before the first epoch, then under it at once', async () => {
    const encryptor = party.encryptor(0)
    expect(await encryptor.encrypt(METADATA, PLAINTEXT)).toEqual({ ok: false, reason: 'no-key' })
    party.install(7n)
    expect(epochShownBy(await encryptFrame(encryptor))).toBe(7)
  })

  it('move sending to an epoch at once where it removes somebody', () => {
    party.install(1n)
    party.install(2n, { leaves: [0, 1], removedLeaves: [2] })
    expect(party.member(0).sendingEpoch).toBe(2n)
  })

  it('move sending at once where a leaf is missing, whether or not it is named as removed', () => {
    party.install(1n)
    party.install(2n, { leaves: [0, 1] })
    expect(party.member(0).sendingEpoch).toBe(2n)
  })

  it('move sending 300 ms later where nobody left', () => {
    party.install(1n)
    party.install(2n)
    party.clock.advance(299)
    expect(party.member(0).sendingEpoch).toBe(1n)
    party.clock.advance(1)
    expect(party.member(0).sendingEpoch).toBe(2n)
  })

  it('tell that sending is about to move, and when it has moved', () => {
    let moves = 0
    const clock = new VirtualClock()
    const keys = new FrameKeys({ aead, clock, onSwitched: () => moves++ })
    keys.installEpoch(epochOf(1n, 0))
    expect([keys.isSwitching, moves]).toEqual([false, 1])
    keys.installEpoch(epochOf(2n, 0))
    expect([keys.isSwitching, moves]).toEqual([true, 1])
    clock.advance(300)
    expect([keys.isSwitching, moves]).toEqual([false, 2])
    keys.installEpoch(epochOf(3n, 0))
    keys.installEpoch(epochOf(4n, 0, { leaves: [0, 1], removedLeaves: [2] }))
    expect([keys.isSwitching, moves]).toEqual([false, 3])
    clock.advance(300)
    expect(moves).toBe(3)
  })

  it('do not start the 300 ms again when newer epochs follow', () => {
    party.install(1n)
    for (let epoch = 2n; epoch < 12n; epoch++) {
      party.install(epoch)
      party.clock.advance(100)
      expect(party.member(0).sendingEpoch).toBe(epoch < 4n ? 1n : epoch - 2n)
    }
  })

  it('never fall back to an older epoch when a Remove overtook a delayed switch', () => {
    party.install(1n)
    party.install(2n)
    party.clock.advance(100)
    party.install(3n, { leaves: [0, 1], removedLeaves: [2] })
    party.clock.advance(1_000)
    expect(party.member(0).sendingEpoch).toBe(3n)
  })

  it('of a superseded epoch live 10 s', async () => {
    party.install(1n)
    const [inTime, late] = [
      await encryptFrame(party.encryptor(0)),
      await encryptFrame(party.encryptor(0)),
    ]
    const decryptor = party.decryptor(1, camera)
    party.install(2n)
    party.clock.advance(9_999)
    expect(await decryptor.decrypt(METADATA, inTime)).toMatchObject({ ok: true })
    party.clock.advance(1)
    expect(await decryptor.decrypt(METADATA, late)).toEqual({ ok: false, reason: 'unknown-key' })
  })

  it('of every superseded epoch live 2 s after a Remove', async () => {
    party.install(1n)
    const inTime = [await encryptFrame(party.encryptor(0))]
    const late = [await encryptFrame(party.encryptor(0))]
    party.install(2n)
    party.clock.advance(300)
    inTime.push(await encryptFrame(party.encryptor(0)))
    late.push(await encryptFrame(party.encryptor(0)))
    expect(late.map(epochShownBy)).toEqual([1, 2])
    party.install(3n, { leaves: [0, 1], removedLeaves: [2] })
    const decryptor = party.decryptor(1, camera)
    party.clock.advance(1_999)
    for (const frame of inTime) {
      expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
    }
    party.clock.advance(1)
    for (const frame of late) {
      expect(await decryptor.decrypt(METADATA, frame)).toEqual({ ok: false, reason: 'unknown-key' })
    }
  })

  it('are gone when their time has come even where the timer is late', async () => {
    const lateTimers = { now: () => party.clock.now(), setTimer: () => () => {} }
    const keys = new FrameKeys({ aead, clock: lateTimers })
    party.install(1n)
    keys.installEpoch(epochOf(1n, 1))
    keys.installEpoch(epochOf(2n, 1))
    const frame = await encryptFrame(party.encryptor(0))
    party.clock.advance(10_000)
    const result = await new FrameDecryptor(keys, camera).decrypt(METADATA, frame)
    expect(result).toEqual({ ok: false, reason: 'unknown-key' })
  })

  it("refuse a removed leaf's frames at once, also those sent before", async () => {
    party.install(1n)
    const before = await encryptFrame(party.encryptor(2))
    const after = await encryptFrame(party.encryptor(2))
    const decryptor = party.decryptor(1, { leaf: 2, source: 'camera' })
    expect(await decryptor.decrypt(METADATA, before)).toMatchObject({ ok: true })
    party.install(2n, { leaves: [0, 1], removedLeaves: [2] })
    expect(await decryptor.decrypt(METADATA, after)).toEqual({
      ok: false,
      reason: 'removed-sender',
    })
  })

  it('refuse the old member of a leaf that another took over in the same commit', async () => {
    party.install(1n)
    const byOldMember = await encryptFrame(party.encryptor(2))
    party.install(2n, { removedLeaves: [2] })
    const byNewMember = await encryptFrame(party.encryptor(2))
    const decryptor = party.decryptor(1, { leaf: 2, source: 'camera' })
    expect(await decryptor.decrypt(METADATA, byOldMember)).toMatchObject({
      reason: 'removed-sender',
    })
    expect(await decryptor.decrypt(METADATA, byNewMember)).toMatchObject({ ok: true })
  })

  it('refuse a leaf that nobody occupies, and frames that come back to their sender', async () => {
    party.install(1n)
    const impostor = new FrameKeys({ aead, clock: party.clock })
    impostor.installEpoch(epochOf(1n, 9, { leaves: [0, 1, 2, 9] }))
    const ghost = await encryptFrame(new FrameEncryptor(impostor, 'camera'))
    const result = await party.decryptor(1, { leaf: 9, source: 'camera' }).decrypt(METADATA, ghost)
    expect(result).toEqual({ ok: false, reason: 'unknown-sender' })
    const own = await encryptFrame(party.encryptor(0))
    expect(await party.decryptor(0, camera).decrypt(METADATA, own)).toMatchObject({
      reason: 'own-frame',
    })
  })

  it('of an epoch with the same low bits evict the older one', async () => {
    party.install(5n)
    const old = await encryptFrame(party.encryptor(0))
    party.install(5n + 256n)
    const decryptor = party.decryptor(1, camera)
    expect(await decryptor.decrypt(METADATA, old)).toEqual({ ok: false, reason: 'wrong-key' })
    expect(party.member(0).sendingEpoch).toBe(261n)
    const sent = await encryptFrame(party.encryptor(0))
    expect(await decryptor.decrypt(METADATA, sent)).toMatchObject({ ok: true })
  })

  it('call an epoch behind the newest unknown, one ahead of it not yet known', () => {
    party.install(10n)
    const keys = party.member(0)
    const sender = { leaf: 1, source: 'camera', incarnation: 0, isListed: false } as const
    expect(keys.keyFor(11, sender)).toEqual({ ok: false, reason: 'key-not-yet' })
    expect(keys.keyFor(137, sender)).toEqual({ ok: false, reason: 'key-not-yet' })
    expect(keys.keyFor(138, sender)).toEqual({ ok: false, reason: 'unknown-key' })
    expect(keys.keyFor(9, sender)).toEqual({ ok: false, reason: 'unknown-key' })
  })

  it('run one counter per source, however many encryptors share it', async () => {
    party.install(1n)
    const frames = []
    for (const source of ['camera', 'camera', 'microphone'] as const) {
      const encryptor = party.encryptor(0, source)
      frames.push(await encryptFrame(encryptor), await encryptFrame(encryptor))
    }
    const headers = frames.map((frame) => decodeHeader(frame))
    expect(headers.map((header) => header?.ctr)).toEqual([0n, 1n, 2n, 3n, 0n, 1n])
    expect(new Set(headers.map((header) => header?.kid)).size).toBe(2)
  })

  it('of another incarnation are other keys under another KID', async () => {
    party.install(1n)
    const restored = new FrameKeys({ aead, clock: party.clock })
    restored.installEpoch(epochOf(1n, 0, { incarnation: 1 }))
    const first = await encryptFrame(party.encryptor(0))
    const second = await encryptFrame(new FrameEncryptor(restored, 'camera'))
    expect(second).not.toEqual(first)
    const decryptor = party.decryptor(1, camera)
    expect(await decryptor.decrypt(METADATA, first)).toMatchObject({ ok: true, ctr: 0n })
    expect(await decryptor.decrypt(METADATA, second)).toMatchObject({ ok: true, ctr: 0n })
  })

  it('are kept for eight incarnations of a sender; one pushed out cannot be replayed', async () => {
    party.install(1n)
    const decryptor = party.decryptor(1, camera)
    const sent = []
    for (let incarnation = 0; incarnation <= MAX_INCARNATIONS; incarnation++) {
      const keys = new FrameKeys({ aead, clock: party.clock })
      keys.installEpoch(epochOf(1n, 0, { incarnation }))
      const frame = await encryptFrame(new FrameEncryptor(keys, 'camera'))
      expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
      sent.push(frame)
    }
    const again = []
    for (const frame of sent) again.push(await decryptor.decrypt(METADATA, frame))
    expect(again[0]).toEqual({ ok: false, reason: 'stale-incarnation' })
    for (const result of again.slice(1)) expect(result).toEqual({ ok: false, reason: 'replayed' })
  })

  it('wipe the base key that they take over', () => {
    const install = epochOf(1n, 0)
    party.member(0).installEpoch(install)
    expect(install.baseKey).toEqual(new Uint8Array(16))
  })

  it('open and send nothing once closed, and leave no timer behind', async () => {
    party.install(1n)
    party.install(2n)
    const frame = await encryptFrame(party.encryptor(0))
    for (const member of party.members) member.close()
    expect(party.clock.pendingTimers).toBe(0)
    expect(await party.decryptor(1, camera).decrypt(METADATA, frame)).toMatchObject({
      reason: 'unknown-key',
    })
    expect(await party.encryptor(0).encrypt(METADATA, PLAINTEXT)).toMatchObject({ ok: false })
    expect(() => party.install(3n)).toThrow(expect.objectContaining({ code: 'sframe-keys-closed' }))
  })

  it.each([
    ['an epoch that is not newer', epochOf(1n, 0), 'sframe-epoch-not-newer'],
    [
      'a base key too short',
      epochOf(2n, 0, { baseKey: baseKeyOf(2n, 15) }),
      'sframe-base-key-length',
    ],
    ['a leaf of 2^10', epochOf(2n, 0, { leaves: [0, 1024] }), 'sframe-leaf-out-of-range'],
    ['an own leaf of 2^10', epochOf(2n, 1024), 'sframe-leaf-out-of-range'],
    ['a negative incarnation', epochOf(2n, 0, { incarnation: -1 }), 'sframe-value-out-of-range'],
  ])('refuse %s and change nothing', async (_case, install, code) => {
    party.install(1n)
    const keys = party.member(0)
    const before = install.baseKey.slice()
    expect(() => keys.installEpoch(install)).toThrow(expect.objectContaining({ code }))
    expect(install.baseKey).toEqual(before)
    party.clock.advance(20_000)
    expect(keys.sendingEpoch).toBe(1n)
    const frame = await encryptFrame(party.encryptor(1))
    const decryptor = party.decryptor(0, { leaf: 1, source: 'camera' })
    expect(await decryptor.decrypt(METADATA, frame)).toMatchObject({ ok: true })
  })

  it('refuse a suite that RFC 9605 does not define', () => {
    expect(() => new FrameKeys({ aead, clock: new VirtualClock(), suite: 6 })).toThrow(
      expect.objectContaining({ code: 'sframe-unsupported-suite' }),
    )
  })
})
