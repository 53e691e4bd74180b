import { CodecError, concatBytes, decode, emptyBytes, fromHex, toHex } from '@conclave/core/codec'
import { signWithLabel } from '@conclave/core/crypto/secret'
import {
  type EntryStatusClaim,
  encodeVoid,
  entryStatusLabel,
  entryStatusTbs,
  type HeadEntry,
  readVoid,
  type VoidEntry,
  verifyEntryStatus,
  voidFault,
} from '@conclave/core/delivery'
import { MlsMessage } from '@conclave/core/wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { suite } from '../mls/testCrypto.ts'

const crypto = suite()
const groupId = fromHex('00112233445566778899aabbccddeeff')
const signers = await Promise.all([0, 1, 2, 3].map(() => crypto.generateSigner()))
const [alice, bob, carol, dave] = signers as [Signer, Signer, Signer, Signer]
type Signer = Awaited<ReturnType<typeof crypto.generateSigner>>

/** Three members, of whom the first commits. dave is nobody. */
const leaves = new Map([alice, bob, carol].map(({ publicKey }, leaf) => [leaf, publicKey]))
const head: HeadEntry = {
  groupId,
  seq: 7,
  entryHash: crypto.hash(fromHex('c0')),
  status: 'failed',
  committerKey: alice.publicKey,
  tree: {
    leafNode: (leaf) => {
      const signatureKey = leaves.get(leaf)
      return signatureKey && { signatureKey }
    },
  },
}

function claimOf(leafIndex: number, change: Partial<EntryStatusClaim> = {}): EntryStatusClaim {
  const { seq, entryHash } = head
  return { groupId, seq, entryHash, leafIndex, status: 'failed', ...change }
}

async function statusOf(leafIndex: number, signer: Signer, change?: Partial<EntryStatusClaim>) {
  const content = entryStatusTbs(claimOf(leafIndex, change))
  return { leafIndex, signature: await signWithLabel(signer, entryStatusLabel, content) }
}

describe('a status', () => {
  test('has one encoding', () => {
    const claim = claimOf(2, { entryHash: fromHex('aabb'), seq: 258 })
    expect(toHex(entryStatusTbs(claim))).toBe(`10${toHex(groupId)}000000000000010202aabb0000000202`)
    expect(toHex(entryStatusTbs({ ...claim, status: 'applied' })).slice(-2)).toBe('01')
  })

  test('is valid as its leaf has signed it, and in no other respect', async () => {
    const { signature } = await statusOf(1, bob)
    const verifies = (claim: EntryStatusClaim, key = bob.publicKey) =>
      verifyEntryStatus(crypto, key, claim, signature)
    expect(await verifies(claimOf(1))).toBe(true)
    expect(await verifies(claimOf(1), carol.publicKey)).toBe(false)
    for (const change of [
      { groupId: fromHex('00') },
      { seq: 8 },
      { entryHash: crypto.hash(emptyBytes) },
      { leafIndex: 2 },
      { status: 'applied' },
    ] as const satisfies Partial<EntryStatusClaim>[]) {
      expect(await verifies(claimOf(1, change))).toBe(false)
    }
  })

  test('signed under another label counts for nothing', async () => {
    const signature = await signWithLabel(bob, 'ConclavePresence', entryStatusTbs(claimOf(1)))
    expect(await verifyEntryStatus(crypto, bob.publicKey, claimOf(1), signature)).toBe(false)
  })

  test.each([
    ['no key', emptyBytes, new Uint8Array(64)],
    ['no signature', alice.publicKey, emptyBytes],
  ])('with %s at all is invalid and no exception', async (_, key, signature) => {
    expect(await verifyEntryStatus(crypto, key, claimOf(0), signature)).toBe(false)
  })
})

const statuses = fc.array(
  fc.record({
    leafIndex: fc.integer({ min: 0, max: 0xffffffff }),
    signature: fc.uint8Array({ maxLength: 256 }).map((bytes) => bytes.slice()),
  }),
  { maxLength: 40 },
)

describe('a void', () => {
  test('comes out of the log as it went in', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), statuses, (seq, signed) => {
        const encoded = encodeVoid(seq, signed)
        expect(readVoid(encoded)).toEqual({ kind: 0xf000, seq: BigInt(seq), statuses: signed })
      }),
    )
  })

  test('is no MLSMessage', () => {
    fc.assert(
      fc.property(fc.nat(), statuses, (seq, signed) => {
        expect(() => decode(MlsMessage, encodeVoid(seq, signed))).toThrow(CodecError)
      }),
    )
  })

  test('is nothing that begins otherwise, is cut short or goes on', () => {
    const encoded = encodeVoid(7, [{ leafIndex: 1, signature: fromHex('aa') }])
    expect(readVoid(concatBytes(encoded, fromHex('00')))).toBeUndefined()
    for (let length = 0; length < encoded.length; length++) {
      expect(readVoid(encoded.slice(0, length))).toBeUndefined()
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        fc.pre(bytes[0] !== 0xf0 || bytes[1] !== 0)
        expect(readVoid(bytes.slice())).toBeUndefined()
      }),
    )
  })

  test('of whatever bytes is read or is none, without an exception', () => {
    const kind = fromHex('f000')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = readVoid(concatBytes(kind, bytes.slice()))
        if (read !== undefined) expect(read.kind).toBe(0xf000)
      }),
    )
  })
})

describe('whether a member takes a commit for undone', () => {
  async function faultOf(
    signed: VoidEntry['statuses'],
    { seq = head.seq, of = head }: { seq?: number; of?: HeadEntry } = {},
  ) {
    const entry = readVoid(encodeVoid(seq, signed))
    if (entry === undefined) throw new Error('not a void')
    return voidFault(crypto, entry, of)
  }

  test('it does where it failed here, and one or all others say so', async () => {
    const [bobs, carols] = [await statusOf(1, bob), await statusOf(2, carol)]
    expect(await faultOf([bobs])).toBeUndefined()
    expect(await faultOf([carols, bobs])).toBeUndefined()
  })

  test('never where it was applied here, whoever says what', async () => {
    const signed = [await statusOf(1, bob), await statusOf(2, carol)]
    expect(await faultOf(signed, { of: { ...head, status: 'applied' } })).toBe(
      'void-of-applied-commit',
    )
  })

  test.each([6, 8, 0])('not where the void is of entry %i and the last is 7', async (seq) => {
    const signed = [await statusOf(1, bob, { seq })]
    expect(await faultOf(signed, { seq })).toBe('void-not-of-head')
  })

  test('not without anybody', async () => {
    expect(await faultOf([])).toBe('void-unsigned')
  })

  test('not with a leaf twice, for which nobody else may stand', async () => {
    const bobs = await statusOf(1, bob)
    expect(await faultOf([bobs, bobs])).toBe('void-signer-twice')
    expect(await faultOf([bobs, await statusOf(1, bob)])).toBe('void-signer-twice')
  })

  test('not with a leaf that nobody had before the commit', async () => {
    expect(await faultOf([await statusOf(1, bob), await statusOf(3, dave)])).toBe(
      'void-signer-unknown',
    )
    expect(await faultOf([await statusOf(0xffffffff, dave)])).toBe('void-signer-unknown')
  })

  test("not with the committer's word", async () => {
    expect(await faultOf([await statusOf(0, alice)])).toBe('void-signer-committer')
    expect(await faultOf([await statusOf(1, bob), await statusOf(0, alice)])).toBe(
      'void-signer-committer',
    )
  })

  test("not with the word of a newcomer's old leaf, whose key is the committer's", async () => {
    const resync = { ...head, committerKey: carol.publicKey }
    expect(await faultOf([await statusOf(2, carol)], { of: resync })).toBe('void-signer-committer')
    expect(await faultOf([await statusOf(1, bob)], { of: resync })).toBeUndefined()
  })

  test.each<[string, () => Promise<VoidEntry['statuses'][number]>]>([
    ['that another key has made', () => statusOf(1, dave)],
    ['of another leaf', async () => ({ ...(await statusOf(2, carol)), leafIndex: 1 })],
    ['that says "applied"', () => statusOf(1, bob, { status: 'applied' })],
    ['of another entry', () => statusOf(1, bob, { entryHash: crypto.hash(emptyBytes) })],
    ['of another group', () => statusOf(1, bob, { groupId: emptyBytes })],
    ['of an earlier entry', () => statusOf(1, bob, { seq: 6 })],
    ['that is missing', async () => ({ leafIndex: 1, signature: emptyBytes })],
  ])('not with a signature %s, though others are valid', async (_, make) => {
    const forged = await make()
    expect(await faultOf([forged])).toBe('void-signature-invalid')
    expect(await faultOf([await statusOf(2, carol), forged])).toBe('void-signature-invalid')
  })

  test('exactly where every signer is another member that says failed', async () => {
    const kinds = ['bob', 'carol', 'alice', 'dave', 'forged'] as const
    const make: Record<(typeof kinds)[number], () => Promise<VoidEntry['statuses'][number]>> = {
      bob: () => statusOf(1, bob),
      carol: () => statusOf(2, carol),
      alice: () => statusOf(0, alice),
      dave: () => statusOf(3, dave),
      forged: () => statusOf(1, dave),
    }
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...kinds), { maxLength: 4 }), async (who) => {
        const signed = await Promise.all(who.map((name) => make[name]()))
        const good = who.every((name) => name === 'bob' || name === 'carol')
        const accepted = good && who.length > 0 && new Set(who).size === who.length
        expect((await faultOf(signed)) === undefined).toBe(accepted)
      }),
      { numRuns: 60 },
    )
  })
})
