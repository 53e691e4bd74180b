import type { EpochInstall, ExpectedSender, FrameKeys } from '@conclave/core/sframe'
import { FrameDecryptor, FrameEncryptor } from '@conclave/core/sframe'
import { beforeEach, describe, expect, it } from 'vitest'
import { baseKeyOf, encryptFrame, epochOf, METADATA, Party } from './party.ts'

/** The second member founds: it has the first leaf, and the others follow in their order. */
const continues = new Map([
  [1, 0],
  [0, 1],
  [2, 2],
])

/** Everybody's keys of an epoch of the next group, by their old leaf. */
function next(epoch: bigint, changes: Partial<EpochInstall> = {}) {
  return (oldLeaf: number) =>
    epochOf(epoch, continues.get(oldLeaf) as number, {
      baseKey: baseKeyOf(1000n + epoch),
      ...(epoch === 1n && { continues }),
      ...changes,
    })
}

const camera = (leaf: number): ExpectedSender => ({ leaf, source: 'camera' })

describe('keys of a group that continues another', () => {
  let party: Party
  let keys: FrameKeys[]
  let first: FrameKeys
  let second: FrameKeys

  beforeEach(() => {
    party = new Party()
    keys = party.members
    ;[first, second] = keys as [FrameKeys, FrameKeys]
  })

  const move = (epoch = 1n) => {
    for (const [leaf, member] of keys.entries()) member.installEpoch(next(epoch)(leaf))
  }

  it('are sent with at once, whatever the epoch’s number', async () => {
    party.install(200n)
    move()
    expect(first.sendingEpoch).toBe(1n)
    const sent = await encryptFrame(new FrameEncryptor(first, 'camera'))
    const opened = await new FrameDecryptor(second, camera(1)).decrypt(METADATA, sent)
    expect(opened).toMatchObject({ ok: true })
  })

  it('leave the old group’s to open what is on the way, for as long as any epoch’s', async () => {
    party.install(5n)
    const old = await encryptFrame(new FrameEncryptor(first, 'camera'))
    const later = await encryptFrame(new FrameEncryptor(first, 'camera'))
    move()
    const decryptor = new FrameDecryptor(second, camera(1))
    expect(await decryptor.decrypt(METADATA, old)).toMatchObject({ ok: true })
    expect(await decryptor.decrypt(METADATA, old)).toMatchObject({ reason: 'replayed' })
    // As somebody else’s, who has that leaf now, nobody takes it.
    const another = new FrameDecryptor(second, camera(0))
    expect(await another.decrypt(METADATA, old)).toMatchObject({ ok: false })
    party.clock.advance(10_000)
    expect(await decryptor.decrypt(METADATA, later)).toMatchObject({ reason: 'wrong-sender' })
  })

  it('and the old group’s open what they protect where their KIDs are the same', async () => {
    const stays = [
      [2, 0],
      [1, 1],
      [0, 2],
    ] as const
    party.install(257n)
    const old = await encryptFrame(party.encryptor(1))
    for (const [leaf, member] of keys.entries()) {
      const ownLeaf = new Map(stays).get(leaf as 0 | 1 | 2) as number
      const baseKey = baseKeyOf(1001n)
      member.installEpoch(epochOf(1n, ownLeaf, { baseKey, continues: new Map(stays) }))
    }
    const fresh = await encryptFrame(party.encryptor(1))
    expect(fresh.subarray(0, 4)).toEqual(old.subarray(0, 4))
    const decryptor = new FrameDecryptor(first, camera(1))
    expect(await decryptor.decrypt(METADATA, fresh)).toMatchObject({ ok: true })
    expect(await decryptor.decrypt(METADATA, old)).toMatchObject({ ok: true })
    expect(await decryptor.decrypt(METADATA, old)).toMatchObject({ ok: false })
  })

  it('are waited for once the old group has come to its end', async () => {
    party.install(100n)
    first.installEpoch(next(1n)(0))
    const sent = await encryptFrame(new FrameEncryptor(first, 'camera'))
    const decryptor = party.decryptor(1, camera(1))
    expect(await decryptor.decrypt(METADATA, sent)).toMatchObject({ reason: 'unknown-key' })
    second.installEpoch(epochOf(101n, 1, { isLast: true }))
    expect(await decryptor.decrypt(METADATA, sent)).toMatchObject({ reason: 'key-not-yet' })
    second.installEpoch(next(1n)(1))
    expect(await decryptor.decrypt(METADATA, sent)).toMatchObject({ ok: true })
  })

  it('are kept from whoever has not come along, and so are the old ones', async () => {
    party.install(5n)
    const old = await encryptFrame(party.encryptor(2))
    const some = new Map([...continues].filter(([leaf]) => leaf !== 2))
    first.installEpoch(next(1n, { continues: some, leaves: [0, 1] })(0))
    const decryptor = new FrameDecryptor(first, camera(2))
    expect(await decryptor.decrypt(METADATA, old)).toMatchObject({ ok: false })
  })

  it('follow each other as any group’s', () => {
    party.install(5n)
    move()
    expect(() => first.installEpoch(epochOf(1n, 1))).toThrow(
      expect.objectContaining({ code: 'sframe-epoch-not-newer' }),
    )
    for (const epoch of [2n, 3n]) first.installEpoch(next(epoch)(0))
    party.clock.advance(300)
    expect(first.sendingEpoch).toBe(3n)
    first.close()
    for (const member of keys) member.close()
    expect(party.clock.pendingTimers).toBe(0)
  })
})
