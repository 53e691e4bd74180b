import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { readRevocationList } from '../../src/credentials/index.ts'
import { refusal } from '../mls/refusals.ts'
import {
  authority,
  credentialOf,
  extension,
  type Holder,
  hour,
  issueAuthority,
  issueMember,
  mayIssueOnly,
  revocationBy,
  revocationList,
  trustIn,
  validate,
} from './certificates.ts'

interface Family {
  readonly root: Holder
  readonly middle: Holder
  readonly ann: Holder
}

async function family(): Promise<Family> {
  const root = await issueAuthority('Root')
  const middle = await issueAuthority('Middle', { issuer: root })
  return { root, middle, ann: await issueMember('Ann', middle) }
}

/** Judges ann by these lists. */
async function judge(
  { root, middle, ann }: Family,
  failClosed: boolean,
  ...lists: readonly Uint8Array<ArrayBuffer>[]
): Promise<string> {
  const trust = trustIn([root], revocationBy(failClosed, ...lists))
  return validate(trust, credentialOf(ann, middle), ann).then(
    () => 'accepted',
    ({ code }) => code,
  )
}

describe('revocation lists', () => {
  it('that are current and name nobody of the chain let it pass', async () => {
    const people = await family()
    const bob = await issueMember('Bob', people.middle)
    const lists = [
      await revocationList(people.root, []),
      await revocationList(people.middle, [bob]),
    ]
    expect(await judge(people, true, ...lists)).toBe('accepted')
  })

  it('revoke a leaf or an intermediate, whatever is demanded', async () => {
    const people = await family()
    const ofLeaf = await revocationList(people.middle, [people.ann])
    const ofMiddle = await revocationList(people.root, [people.middle])
    const [clean, cleanRoot] = [
      await revocationList(people.middle, []),
      await revocationList(people.root, []),
    ]
    for (const failClosed of [true, false]) {
      expect(await judge(people, failClosed, ofLeaf, cleanRoot)).toBe('credential-revoked')
      expect(await judge(people, failClosed, clean, ofMiddle)).toBe('credential-revoked')
    }
  })

  it('mean the serial numbers of their own issuer', async () => {
    const people = await family()
    const lists = [
      await revocationList(people.root, [people.ann]),
      await revocationList(people.middle, []),
    ]
    expect(await judge(people, true, ...lists)).toBe('accepted')
  })

  it('that are missing or of another issuer matter where one is demanded', async () => {
    const people = await family()
    const other = await revocationList(await issueAuthority('Other'), [people.ann])
    const ofRoot = await revocationList(people.root, [])
    for (const lists of [[], [other], [ofRoot], [ofRoot, other]]) {
      expect(await judge(people, true, ...lists)).toBe('credential-revocation-unknown')
      expect(await judge(people, false, ...lists)).toBe('accepted')
    }
  })

  it('whose successor is due count for what they revoke, and otherwise as demanded', async () => {
    const people = await family()
    const ofRoot = await revocationList(people.root, [])
    const old = { from: -3 * hour, until: -2 * hour }
    const stale = await revocationList(people.middle, [], old)
    expect(await judge(people, true, ofRoot, stale)).toBe('credential-revocation-list-stale')
    expect(await judge(people, false, ofRoot, stale)).toBe('accepted')
    const revoking = await revocationList(people.middle, [people.ann], old)
    expect(await judge(people, false, ofRoot, revoking)).toBe('credential-revoked')
    const future = await revocationList(people.middle, [], { from: hour, until: 2 * hour })
    expect(await judge(people, true, ofRoot, future)).toBe('credential-revocation-list-stale')
    const current = await revocationList(people.middle, [])
    expect(await judge(people, true, ofRoot, stale, current)).toBe('accepted')
  })

  it('that somebody else has signed are refused, unless there is a genuine one', async () => {
    const people = await family()
    const ofRoot = await revocationList(people.root, [])
    const forged = await revocationList(people.middle, [people.ann], { signer: people.ann })
    const genuine = await revocationList(people.middle, [])
    for (const failClosed of [true, false]) {
      expect(await judge(people, failClosed, ofRoot, forged)).toBe(
        'credential-revocation-list-invalid',
      )
      expect(await judge(people, failClosed, ofRoot, forged, genuine)).toBe('accepted')
    }
  })

  it('of an authority whose key may not sign any are refused', async () => {
    const root = await issueAuthority('Root', { extensions: [authority(), mayIssueOnly] })
    const middle = await issueAuthority('Middle', { issuer: root })
    const ann = await issueMember('Ann', middle)
    const lists = [await revocationList(root, []), await revocationList(middle, [])]
    expect(await judge({ root, middle, ann }, true, ...lists)).toBe(
      'credential-revocation-list-invalid',
    )
  })

  it('are asked for anew each time', async () => {
    const { root, middle, ann } = await family()
    const lists = [await revocationList(root, []), await revocationList(middle, [])].map(
      readRevocationList,
    )
    const trust = trustIn([root], { lists: () => lists, failClosed: true })
    await validate(trust, credentialOf(ann, middle), ann)
    lists.push(readRevocationList(await revocationList(middle, [ann])))
    await expect(validate(trust, credentialOf(ann, middle), ann)).rejects.toEqual(
      refusal('credential-revoked'),
    )
  })

  it('that say more than can be understood, or too little, cannot be read', async () => {
    const { middle, ann } = await family()
    const delta = [extension('2.5.29.27', true)]
    for (const wish of [{ extensions: delta }, { entryExtensions: delta }]) {
      const list = await revocationList(middle, [ann], wish)
      expect(() => readRevocationList(list)).toThrow(refusal('credential-revocation-list-invalid'))
    }
    const last = await revocationList(middle, [ann], { until: undefined })
    expect(() => readRevocationList(last)).toThrow(refusal('credential-revocation-list-invalid'))
    const harmless = await revocationList(middle, [ann], {
      extensions: [extension('2.5.29.20', false)],
    })
    expect(readRevocationList(harmless).revoked.size).toBe(1)
  })

  it('that are none cannot be read', async () => {
    const { middle } = await family()
    const list = await revocationList(middle, [])
    for (const bytes of [utf8('?'), list.slice(0, -1), middle.der]) {
      expect(() => readRevocationList(bytes)).toThrow(refusal('credential-malformed'))
    }
  })
})
