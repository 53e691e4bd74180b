import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { verifyKeyPackage } from '../../src/mls/public/index.ts'
import type { KeyPackageTbs } from '../../src/wire/index.ts'
import { ExtensionType } from '../../src/wire/registry.ts'
import { epochOf, forgeKeyPackage, forgeNewcomer, frameProposal, touched } from './malformed.ts'
import { add, Party } from './party.ts'
import { expectRejected, type RefusalCode, refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']

describe('a KeyPackage', () => {
  it.each<{
    readonly what: string
    readonly check: string
    readonly code: RefusalCode
    readonly outside: (content: KeyPackageTbs) => KeyPackageTbs
  }>([
    {
      what: 'of another suite',
      check: 'valn0201',
      code: 'key-package-suite-mismatch',
      outside: (kp) => ({ ...kp, cipherSuite: 3 }),
    },
    {
      what: 'of another version',
      check: 'valn0201, valn0205',
      code: 'key-package-version-mismatch',
      outside: (kp) => ({ ...kp, version: 2 }),
    },
    {
      what: 'whose init key is its encryption key',
      check: 'valn0204',
      code: 'key-package-init-key-reused',
      outside: (kp) => ({ ...kp, initKey: kp.leafNode.encryptionKey }),
    },
    {
      what: 'with an extension twice',
      check: 'valn1604',
      code: 'extension-duplicate',
      outside: (kp) => ({
        ...kp,
        extensions: [0x3a3a, 0x3a3a].map((extensionType) => ({
          extensionType,
          extensionData: emptyBytes,
        })),
      }),
    },
    {
      what: 'with a tree inside',
      check: 'valn1604',
      code: 'extension-misplaced',
      outside: (kp) => ({
        ...kp,
        extensions: [{ extensionType: ExtensionType.ratchetTree, extensionData: emptyBytes }],
      }),
    },
  ])('$what is refused ($check)', async ({ outside, code }) => {
    const party = await Party.of(names)
    const keyPackage = await forgeNewcomer(party, { outside })
    const message = await frameProposal(await epochOf(party.group('mallory')), add(keyPackage))
    await expectRejected(party, 'mallory', message, code)
    await expect(verifyKeyPackage(party.suite, keyPackage)).rejects.toEqual(refusal(code))
  })

  it('with an extension that nobody knows is accepted (valn1604)', async () => {
    const party = await Party.of(names)
    const extensions = [{ extensionType: 0x3a3a, extensionData: utf8('?') }]
    const keyPackage = await forgeNewcomer(party, { outside: (kp) => ({ ...kp, extensions }) })
    const pending = await party.commit('alice', [add(keyPackage)])
    expect(pending.effect.added).toHaveLength(1)
  })

  it('whose signature does not verify is refused (valn0203)', async () => {
    const party = await Party.of(names)
    const keyPackage = await forgeNewcomer(party, {})
    const forged = { ...keyPackage, signature: touched(keyPackage.signature) }
    const message = await frameProposal(await epochOf(party.group('mallory')), add(forged))
    await expectRejected(party, 'mallory', message, 'key-package-signature-invalid')
  })

  it('whose leaf somebody else has signed is refused (valn0202)', async () => {
    const party = await Party.of(names)
    const [erin, frank] = await Promise.all([party.person('erin'), party.person('frank')])
    const { keyPackage } = await party.keyPackage(erin)
    const { keyPackage: other } = await party.keyPackage(frank)
    const forged = await forgeKeyPackage(erin.own.signer, keyPackage, {
      outside: (kp) => ({
        ...kp,
        leafNode: { ...kp.leafNode, signature: other.leafNode.signature },
      }),
    })
    const message = await frameProposal(await epochOf(party.group('mallory')), add(forged))
    await expectRejected(party, 'mallory', message, 'leaf-signature-invalid')
  })
})
