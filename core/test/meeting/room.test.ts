import { decode, encode, toHex, utf8 } from '@conclave/core/codec'
import {
  branchPskId,
  calledHash,
  describedRoomId,
  parentEpochOf,
  parentMeetingOf,
  type RoomDescription,
  roomIdOf,
  roomPskId,
} from '@conclave/core/meeting'
import { PreSharedKeyId, PskType, ResumptionPskUsage } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { crypto } from './leaves.ts'

const parentGroupId = new Uint8Array(16).fill(1)
const description: RoomDescription = {
  parentGroupId,
  nonce: new Uint8Array(16).fill(2),
  name: utf8('red'),
  called: [calledHash(crypto, utf8('alice'))],
}

describe("a breakout room's meeting id", () => {
  it('names its parent, and nothing else does', () => {
    const id = describedRoomId(crypto, 'standup', description)
    expect(parentMeetingOf(id)).toBe('standup')
    expect(parentMeetingOf(roomIdOf('a\n#room-b', '00'.repeat(16)))).toBe('a\n#room-b')
    for (const other of [
      'standup',
      '#room-',
      `#room-${'00'.repeat(16)}`,
      'standup#room-0g',
      `${id} `,
    ]) {
      expect(parentMeetingOf(other), other).toBeUndefined()
    }
  })

  it('is another for everything that a room may be opened as', () => {
    const others: readonly RoomDescription[] = [
      description,
      { ...description, parentGroupId: new Uint8Array(16).fill(3) },
      { ...description, nonce: new Uint8Array(16).fill(3) },
      { ...description, name: utf8('blue') },
      { ...description, called: [] },
    ]
    const ids = others.map((each) => describedRoomId(crypto, 'standup', each))
    expect(new Set(ids).size).toBe(others.length)
  })
})

describe("the key of a room's parent", () => {
  const named = { parentGroupId, parentEpoch: 7n }
  const nonce = new Uint8Array(32)

  it('names the group and epoch that it is from', () => {
    for (const id of [roomPskId(named, nonce), branchPskId(named, nonce)]) {
      expect(parentEpochOf(decode(PreSharedKeyId, encode(PreSharedKeyId, id)))).toEqual(named)
    }
    expect(toHex(encode(PreSharedKeyId, roomPskId(named, nonce)).slice(0, 2))).toBe('0119')
  })

  it('is no other kind of key', () => {
    const resumption = {
      pskType: PskType.resumption,
      pskGroupId: parentGroupId,
      pskEpoch: 7n,
    } as const
    const { application, reInit } = ResumptionPskUsage
    for (const usage of [application, reInit]) {
      expect(parentEpochOf({ ...resumption, usage, pskNonce: nonce })).toBeUndefined()
    }
    const pskId = utf8('our own')
    expect(parentEpochOf({ pskType: PskType.external, pskId, pskNonce: nonce })).toBeUndefined()
  })
})
