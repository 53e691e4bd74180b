import { describe, expect, it } from 'vitest'
import { refusal } from '../mls/refusals.ts'
import {
  clock,
  credentialOf,
  hour,
  issueAuthority,
  issueMember,
  trustIn,
  validate,
} from './certificates.ts'

const minute = 60_000

describe("an X.509 chain's validity", () => {
  const span = (from: number, until: number) => ({ from, until })

  it.each([
    ['an expired leaf', span(-hour, -11 * minute), 'receiver', 'credential-expired'],
    [
      'a leaf that is not valid yet',
      span(11 * minute, hour),
      'receiver',
      'credential-not-yet-valid',
    ],
    ['a leaf that soon expires', span(-hour, minute), 'sender', 'credential-expired'],
    ['a leaf of the future', span(minute, hour), 'sender', 'credential-not-yet-valid'],
  ] as const)('refuses %s (as seen by a %s)', async (_, lifetime, by, code) => {
    const root = await issueAuthority('Root')
    const ann = await issueMember('Ann', root, lifetime)
    await expect(validate(trustIn([root]), credentialOf(ann), ann, by)).rejects.toEqual(
      refusal(code),
    )
    await validate(trustIn([root]), credentialOf(ann), ann, 'joiner')
  })

  it.each([span(-hour, -9 * minute), span(9 * minute, hour)])(
    'is lenient with what others send: %o',
    async (lifetime) => {
      const root = await issueAuthority('Root')
      const ann = await issueMember('Ann', root, lifetime)
      await validate(trustIn([root]), credentialOf(ann), ann, 'receiver')
    },
  )

  it('ends with that of any authority above, the root’s included', async () => {
    const root = await issueAuthority('Root')
    const middle = await issueAuthority('Middle', { issuer: root, ...span(-2 * hour, -hour) })
    const old = await issueAuthority('Old', span(-2 * hour, -hour))
    const [ann, bob] = [await issueMember('Ann', middle), await issueMember('Bob', old)]
    await expect(validate(trustIn([root]), credentialOf(ann, middle), ann)).rejects.toEqual(
      refusal('credential-expired'),
    )
    await expect(validate(trustIn([old]), credentialOf(bob), bob)).rejects.toEqual(
      refusal('credential-expired'),
    )
  })

  it('follows the clock that was given', async () => {
    const root = await issueAuthority('Root')
    const ann = await issueMember('Ann', root)
    const trust = { ...trustIn([root]), clock: { now: () => clock.now() + 48 * hour } }
    await expect(validate(trust, credentialOf(ann), ann)).rejects.toEqual(
      refusal('credential-expired'),
    )
  })
})
