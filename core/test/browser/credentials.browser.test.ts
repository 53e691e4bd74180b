import { describe, expect, it } from 'vitest'
import {
  credentialOf,
  issueAuthority,
  issueMember,
  type Kind,
  revocationBy,
  revocationList,
  trustIn,
  validate,
} from '../credentials/certificates.ts'
import { refusal } from '../mls/refusals.ts'

describe('in a browser', () => {
  it.each<[Kind, Kind]>([
    ['Ed25519', 'P-256'],
    ['P-256', 'P-384'],
    ['Ed25519', 'RSA'],
  ])(
    'the chain of a %s key under %s authorities is accepted until it is revoked',
    async (kind, rootKind) => {
      const root = await issueAuthority('Root', { kind: rootKind })
      const middle = await issueAuthority('Middle', { kind: rootKind, issuer: root })
      const ann = await issueMember('Ann', middle, { kind })
      const chain = credentialOf(ann, middle)
      await validate(trustIn([root]), chain, ann)
      const revoked = revocationBy(false, await revocationList(middle, [ann]))
      await expect(validate(trustIn([root], revoked), chain, ann)).rejects.toEqual(
        refusal('credential-revoked'),
      )
    },
  )

  it('a short RSA key is told from one that is fit, and a changed certificate from its original', async () => {
    const short = await issueAuthority('Short', { kind: 'RSA-1024' })
    const ann = await issueMember('Ann', short)
    await expect(validate(trustIn([short]), credentialOf(ann), ann)).rejects.toEqual(
      refusal('credential-algorithm-unsupported'),
    )
    const root = await issueAuthority('Root', { kind: 'RSA' })
    const bob = await issueMember('Bob', root)
    const changed = bob.der.slice()
    changed[changed.length - 1] = (changed.at(-1) as number) ^ 1
    await expect(validate(trustIn([root]), credentialOf(changed), bob)).rejects.toEqual(
      refusal('credential-signature-invalid'),
    )
  })
})
