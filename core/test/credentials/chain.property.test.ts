import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Bytes, toHex } from '../../src/codec/bytes.ts'
import {
  CredentialError,
  readRevocationList,
  type X509Validator,
  x509Validator,
} from '../../src/credentials/index.ts'
import {
  credentialOf,
  type Holder,
  issueAuthority,
  issueMember,
  revocationList,
  signatureKeyOf,
  suiteOfKind,
  trustIn,
} from './certificates.ts'

let chain: readonly Holder[]
let key: Bytes
let validator: X509Validator

beforeAll(async () => {
  const root = await issueAuthority('Root', { kind: 'P-256' })
  const middle = await issueAuthority('Middle', { issuer: root })
  const ann = await issueMember('Ann', middle)
  chain = [ann, middle, root]
  key = await signatureKeyOf(ann)
  validator = x509Validator(trustIn([root]))
})

/** The outcome for a chain of which one certificate was changed, for the key that it names. */
async function outcome(at: number, changed: Bytes): Promise<string> {
  const links = chain.map((holder, i) => (i === at ? changed : holder))
  // Where the key stands in the leaf's certificate: a change of it is followed.
  const keyAt = toHex((chain[0] as Holder).der).indexOf(toHex(key)) / 2
  const named = at === 0 ? changed.slice(keyAt, keyAt + key.length) : key
  try {
    await validator.validate(credentialOf(...links), suiteOfKind('Ed25519'), named, 'receiver')
    return 'accepted'
  } catch (error) {
    return error instanceof CredentialError ? error.code : `untyped: ${error}`
  }
}

const certificates = fc.integer({ min: 0, max: 2 })

describe('a chain of which a byte was changed', () => {
  it('is accepted for nobody, whichever it was', async () => {
    for (const [at, { der }] of chain.entries()) {
      for (let i = 0; i < der.length; i++) {
        const changed = der.slice()
        changed[i] = (changed[i] as number) ^ (1 << (i % 8))
        expect(await outcome(at, changed), `byte ${i} of certificate ${at}`).toMatch(/^credential-/)
      }
    }
  })

  it('is refused with a typed error, however it was changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        certificates,
        fc.nat(),
        fc.nat({ max: 4 }),
        fc.uint8Array({ maxLength: 4 }),
        async (at, where, removed, inserted) => {
          const { der } = chain[at] as Holder
          const from = where % der.length
          const changed = Uint8Array.of(
            ...der.subarray(0, from),
            ...inserted,
            ...der.subarray(from + removed),
          )
          const same = toHex(changed) === toHex(der)
          expect(await outcome(at, changed)).toMatch(same ? 'accepted' : /^credential-/)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('a revocation list that was changed', () => {
  it('is read or refused with a typed error', async () => {
    const [ann, middle] = chain as [Holder, Holder]
    const list = await revocationList(middle, [ann])
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (where, mask) => {
        const changed = list.slice()
        const at = where % list.length
        changed[at] = (changed[at] as number) ^ mask
        try {
          readRevocationList(changed)
          return true
        } catch (error) {
          return error instanceof CredentialError
        }
      }),
      { numRuns: 2000 },
    )
  })
})
