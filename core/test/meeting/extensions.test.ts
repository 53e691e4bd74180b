import { type Bytes, concatBytes, decode, encode, fromHex, toHex, utf8 } from '@conclave/core/codec'
import { signWithLabel } from '@conclave/core/crypto/secret'
import {
  AdmissionPolicy,
  anyMeeting,
  ConclaveMeeting,
  ConclaveMember,
  foundingTerms,
  meetingExtension,
  meetingIdOf,
  meetingTerms,
  memberExtension,
  memberOf,
  memberTbs,
  verifyMember,
} from '@conclave/core/meeting'
import type { LeafNode } from '@conclave/core/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crypto, meetingId, memberLeaf, signer } from './leaves.ts'

const meetingInvalid = expect.objectContaining({
  name: 'MeetingError',
  code: 'meeting-extension-invalid',
})
const memberInvalid = expect.objectContaining({
  name: 'MeetingError',
  code: 'member-extension-invalid',
})

const bounded = (maxLength: number) => fc.uint8Array({ maxLength })
const meetings: fc.Arbitrary<ConclaveMeeting> = fc.record({
  meetingId: bounded(256),
  sframeCipherSuite: fc.nat(0xffff),
  epochBits: fc.nat(255),
  leafBits: fc.nat(255),
  admissionPolicy: fc.constantFrom(...Object.values(AdmissionPolicy)),
  admissionKeys: fc.array(bounded(256), { maxLength: 4 }),
  rootFingerprints: fc.array(bounded(64), { maxLength: 4 }),
  locked: fc.constantFrom(0 as const, 1 as const),
  revoked: fc.array(bounded(64), { maxLength: 8 }),
})
const members: fc.Arbitrary<ConclaveMember> = fc.record({
  deviceKey: bounded(256),
  deviceSignature: bounded(256),
  ticket: fc.option(
    fc.record({
      ticketId: bounded(64),
      meetingId: bounded(256),
      identity: bounded(1024),
      deviceKey: bounded(256),
      role: fc.nat(255),
      expiresAt: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      issuer: bounded(256),
      signature: bounded(256),
    }),
    { nil: undefined },
  ),
})

function withExtensionData(leaf: LeafNode, extensionData: Bytes): LeafNode {
  return { ...leaf, extensions: [{ extensionType: 0xf001, extensionData }] }
}

describe('conclave_meeting', () => {
  it('has exactly this encoding, which every member compares', () => {
    const terms = foundingTerms('standup', { policy: 'ticket', admissionKeys: [fromHex('aabb')] })
    const { extensionType, extensionData } = meetingExtension(terms)
    expect(extensionType).toBe(0xf000)
    expect(toHex(extensionData)).toBe(
      `07${toHex(utf8('standup'))}` + // meeting_id
        '0004080a' + // AES_128_GCM_SHA256_128, E = 8, S = 10
        '02' + // ticket
        '0302aabb' + // admission_keys
        '00' + // root_fingerprints
        '00' + // locked
        '00', // revoked
    )
    expect(meetingTerms([meetingExtension(terms)])).toEqual(terms)
    expect(meetingIdOf(terms)).toBe('standup')
  })

  it('reads back whatever was written', () => {
    fc.assert(
      fc.property(meetings, (terms) => {
        expect(decode(ConclaveMeeting, encode(ConclaveMeeting, terms))).toEqual(terms)
      }),
    )
  })

  it('must be there exactly once', () => {
    const extension = meetingExtension(foundingTerms('standup', { policy: 'open' }))
    expect(() => meetingTerms([])).toThrow(meetingInvalid)
    expect(() => meetingTerms([extension, extension])).toThrow(meetingInvalid)
    expect(() => meetingTerms([{ ...extension, extensionType: 0xf001 }])).toThrow(meetingInvalid)
  })

  it('cut off anywhere, continued or with an unknown policy is invalid', () => {
    const { extensionType, extensionData } = meetingExtension(
      foundingTerms('standup', { policy: 'open' }),
    )
    const read = (data: Bytes) => meetingTerms([{ extensionType, extensionData: data }])
    for (const at of extensionData.keys()) {
      expect(() => read(extensionData.slice(0, at))).toThrow(meetingInvalid)
    }
    expect(() => read(concatBytes(extensionData, fromHex('00')))).toThrow(meetingInvalid)
    for (const policy of [0, 5, 255]) {
      const altered = extensionData.slice().fill(policy, 12, 13)
      expect(() => read(altered)).toThrow(meetingInvalid)
    }
  })

  it('with more than it may hold is neither written nor read', () => {
    const terms = foundingTerms('standup', { policy: 'open' })
    const tooMuch = expect.objectContaining({ code: 'codec-unencodable' })
    const ids = (count: number) => Array.from({ length: count }, () => fromHex('aa'))
    const fits = { ...terms, revoked: ids(4096), admissionKeys: ids(64) }
    expect(meetingTerms([meetingExtension(fits)])).toEqual(fits)
    expect(() => meetingExtension({ ...terms, revoked: ids(4097) })).toThrow(tooMuch)
    expect(() => meetingExtension({ ...terms, admissionKeys: ids(65) })).toThrow(tooMuch)
    expect(() => meetingExtension({ ...terms, rootFingerprints: ids(65) })).toThrow(tooMuch)
    expect(() => meetingExtension(foundingTerms('m'.repeat(257), { policy: 'open' }))).toThrow(
      tooMuch,
    )
  })

  it('with a meeting id that is not UTF-8 names no meeting', () => {
    const terms = foundingTerms('standup', { policy: 'open' })
    expect(meetingIdOf({ ...terms, meetingId: fromHex('ff') })).toBeUndefined()
    const marked = { ...terms, meetingId: concatBytes(fromHex('efbbbf'), terms.meetingId) }
    expect(meetingIdOf(marked)).not.toBe('standup')
  })
})

describe('conclave_member', () => {
  it('reads back whatever was written', () => {
    fc.assert(
      fc.property(members, (member) => {
        expect(decode(ConclaveMember, memberExtension(member).extensionData)).toEqual(member)
      }),
    )
  })

  it("is accepted when the device certified the leaf's key for this meeting", async () => {
    const leaf = await memberLeaf()
    const device = await signer(2)
    await expect(verifyMember(crypto, meetingId, leaf)).resolves.toMatchObject({
      deviceKey: device.publicKey,
      ticket: undefined,
      certifiedFor: 'this-meeting',
    })
  })

  it('certified for any meeting is accepted in each, and told from one for this meeting', async () => {
    const leaf = await memberLeaf({ certifiedFor: anyMeeting })
    for (const meeting of [meetingId, 'retro', anyMeeting]) {
      await expect(verifyMember(crypto, meeting, leaf)).resolves.toMatchObject({
        certifiedFor: 'any-meeting',
      })
    }
  })

  it('certified for one meeting is not good for any', async () => {
    const leaf = await memberLeaf()
    await expect(verifyMember(crypto, anyMeeting, leaf)).rejects.toEqual(memberInvalid)
  })

  it("certified for any meeting does not carry over to another leaf's key", async () => {
    const victim = await memberLeaf({ certifiedFor: anyMeeting })
    const attacker = await memberLeaf({ leafKey: 3, deviceKey: 4, certifiedFor: anyMeeting })
    const stolen = { ...attacker, extensions: victim.extensions }
    await expect(verifyMember(crypto, meetingId, stolen)).rejects.toEqual(memberInvalid)
  })

  it('certified for another meeting is invalid', async () => {
    const leaf = await memberLeaf({ certifiedFor: 'retro' })
    await expect(verifyMember(crypto, meetingId, leaf)).rejects.toEqual(memberInvalid)
  })

  it("taken over by another leaf's key is invalid", async () => {
    const [victim, attacker] = [await memberLeaf(), await memberLeaf({ leafKey: 3, deviceKey: 4 })]
    const stolen = { ...attacker, extensions: victim.extensions }
    await expect(verifyMember(crypto, meetingId, stolen)).rejects.toEqual(memberInvalid)
  })

  it('signed under another label is invalid', async () => {
    const leaf = await memberLeaf()
    const device = await signer(2)
    const extension = memberExtension({
      deviceKey: device.publicKey,
      deviceSignature: await signWithLabel(
        device,
        'ConclavePresence',
        memberTbs(meetingId, leaf.signatureKey),
      ),
      ticket: undefined,
    })
    const other = { ...leaf, extensions: [extension] }
    await expect(verifyMember(crypto, meetingId, other)).rejects.toEqual(memberInvalid)
  })

  it.each([0, 31, 33, 256])('with a device key of %i bytes is invalid', async (length) => {
    const leaf = await memberLeaf()
    const member = memberOf(leaf)
    const data = encode(ConclaveMember, { ...member, deviceKey: new Uint8Array(length) })
    await expect(verifyMember(crypto, meetingId, withExtensionData(leaf, data))).rejects.toEqual(
      memberInvalid,
    )
  })

  it('must be there exactly once and be readable', async () => {
    const leaf = await memberLeaf()
    const [extension] = leaf.extensions
    if (extension === undefined) throw new Error('the leaf has no extension')
    const data = extension.extensionData
    const bad: readonly LeafNode[] = [
      { ...leaf, extensions: [] },
      { ...leaf, extensions: [extension, extension] },
      { ...leaf, extensions: [{ ...extension, extensionType: 0xf000 }] },
      withExtensionData(leaf, data.slice(0, -1)),
      withExtensionData(leaf, concatBytes(data, fromHex('00'))),
    ]
    for (const other of bad) {
      expect(() => memberOf(other)).toThrow(memberInvalid)
      await expect(verifyMember(crypto, meetingId, other)).rejects.toEqual(memberInvalid)
    }
  })
})
