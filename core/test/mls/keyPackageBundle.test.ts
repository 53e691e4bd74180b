import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { ConclaveError } from '../../src/error.ts'
import { appDataExtension, readAppData } from '../../src/mls/application/index.ts'
import {
  createKeyPackage,
  type KeyPackageBundle,
  lifetimeFrom,
  restoreKeyPackage,
  storeKeyPackage,
} from '../../src/mls/bootstrap/index.ts'
import { Group } from '../../src/mls/group/index.ts'
import { checkLifetime, isLastResort, verifyKeyPackage } from '../../src/mls/public/index.ts'
import { suiteWith } from '../crypto/suite.ts'
import { VirtualClock } from '../virtualClock.ts'
import { add, type Participant, Party, welcomeIn } from './party.ts'
import { refusal } from './refusals.ts'

const lastResort = { lastResort: true }

describe('a KeyPackage of ours', () => {
  it('carries the extensions that it was given and verifies', async () => {
    const party = await Party.of(['alice'])
    const { own } = await party.person('bob')
    const extensions = [{ extensionType: 0xf123, extensionData: utf8('mine') }]
    const bundle = await createKeyPackage(party.suite, own, party.lifetime(), { extensions })
    expect(bundle.keyPackage.extensions).toEqual(extensions)
    expect(bundle.lastResort).toBe(false)
    await verifyKeyPackage(party.suite, bundle.keyPackage)
  })

  it('is not made with an extension that stands twice', async () => {
    const party = await Party.of(['alice'])
    const { own } = await party.person('bob')
    const extension = { extensionType: 0xf123, extensionData: emptyBytes }
    const extensions = [extension, extension]
    await expect(
      createKeyPackage(party.suite, own, party.lifetime(), { extensions }),
    ).rejects.toEqual(refusal('extension-duplicate'))
  })

  it('is valid for clocks an hour behind and as long as was asked for', () => {
    const clock = new VirtualClock(1_700_000_000_999)
    expect(lifetimeFrom(clock, 300.9)).toEqual({
      notBefore: 1_700_000_000n - 3600n,
      notAfter: 1_700_000_300n,
    })
  })

  it('with a lifetime from now can be added at once by a strict committer', async () => {
    const party = await Party.of(['alice'])
    const { own } = await party.person('bob')
    const lifetime = lifetimeFrom(party.clock, 300)
    const { keyPackage } = await createKeyPackage(party.suite, own, lifetime)
    expect(() => checkLifetime(keyPackage.leafNode, party.clock.now(), 'sender')).not.toThrow()
  })
})

describe('a KeyPackage of last resort', () => {
  it('says so to everyone, in its signed content, and verifies', async () => {
    const party = await Party.of(['alice'])
    const { own } = await party.person('bob')
    const bundle = await createKeyPackage(party.suite, own, party.lifetime(), lastResort)
    expect(bundle.lastResort).toBe(true)
    expect(isLastResort(bundle.keyPackage)).toBe(true)
    await verifyKeyPackage(party.suite, bundle.keyPackage)
  })

  it('lets its owner into one group after another; any other only once', async () => {
    const parties = [await Party.of(['alice']), await Party.of(['carol'])]
    const [party] = parties as [Party]
    const { own } = await party.person('bob')
    const enterAll = async (bundle: KeyPackageBundle) => {
      for (const { environment, participants } of parties) {
        const { group } = participants[0] as Participant
        const proposals = [add(bundle.keyPackage)]
        const pending = await group.commit({ proposals, authenticatedData: emptyBytes })
        const welcome = welcomeIn(pending.welcome)
        const joined = await Group.join(environment, {
          welcome,
          bundle,
          ratchetTree: async () => pending.effect.tree.toRatchetTree(),
        })
        joined.close()
        pending.discard()
      }
    }
    await enterAll(await createKeyPackage(party.suite, own, party.lifetime(), lastResort))
    const once = await createKeyPackage(party.suite, own, party.lifetime())
    await expect(enterAll(once)).rejects.toEqual(refusal('welcome-undecryptable'))
  })

  it('says so beside what else its dictionary has', async () => {
    const party = await Party.of(['alice'])
    const { own } = await party.person('bob')
    const mine = { componentId: 0x8001, data: utf8('mine') }
    const { keyPackage } = await createKeyPackage(party.suite, own, party.lifetime(), {
      ...lastResort,
      extensions: [appDataExtension([mine])],
    })
    expect(isLastResort(keyPackage)).toBe(true)
    expect(readAppData(keyPackage.extensions)).toContainEqual(mine)
  })

  it('with a dictionary that cannot be read is refused', async () => {
    const party = await Party.of(['alice'])
    const { keyPackage } = await party.keyPackage(await party.person('bob'))
    const extensions = [{ extensionType: 6, extensionData: utf8('?') }]
    expect(() => isLastResort({ ...keyPackage, extensions })).toThrow(
      refusal('extension-malformed'),
    )
  })
})

describe('a stored KeyPackage', () => {
  it('joins after it was restored', async () => {
    const party = await Party.of(['alice'])
    const person = await party.person('bob')
    const bundle = await party.keyPackage(person)
    const stored = storeKeyPackage(bundle)
    const pending = await party.commit('alice', [add(bundle.keyPackage)])
    const group = await Group.join(party.environment, {
      welcome: welcomeIn(pending.welcome),
      bundle: restoreKeyPackage(party.suite, stored, person.own.signer),
      ratchetTree: async () => party.group('alice').ratchetTree,
    })
    expect(group.epochAuthenticator).toEqual(party.group('alice').epochAuthenticator)
  })

  it('remains what it was, last resort included', async () => {
    const party = await Party.of(['alice'])
    const { own } = await party.person('bob')
    const bundle = await createKeyPackage(party.suite, own, party.lifetime(), lastResort)
    const restored = restoreKeyPackage(party.suite, storeKeyPackage(bundle), own.signer)
    expect(restored.keyPackage).toEqual(bundle.keyPackage)
    expect(restored.ref).toEqual(bundle.ref)
    expect(restored.lastResort).toBe(true)
    expect(restored.initKey.privateKey.equals(bundle.initKey.privateKey)).toBe(true)
    expect(restored.leafKey.privateKey.equals(bundle.leafKey.privateKey)).toBe(true)
  })

  it('does not show when it is printed and shares no memory with the bundle', async () => {
    const party = await Party.of(['alice'])
    const bundle = await party.keyPackage(await party.person('bob'))
    const stored = storeKeyPackage(bundle)
    expect(`${stored}`).toBe('[secret]')
    stored.wipe()
    expect(bundle.initKey.privateKey.expose().some((byte) => byte !== 0)).toBe(true)
  })

  it('is refused with the signer of somebody else', async () => {
    const party = await Party.of(['alice'])
    const [bob, carol] = [await party.person('bob'), await party.person('carol')]
    const stored = storeKeyPackage(await party.keyPackage(bob))
    expect(() => restoreKeyPackage(party.suite, stored, carol.own.signer)).toThrow(
      refusal('crypto-invalid-key'),
    )
  })

  it('is refused in a version that does not exist', async () => {
    const party = await Party.of(['alice'])
    const bob = await party.person('bob')
    const bytes = storeKeyPackage(await party.keyPackage(bob))
      .expose()
      .slice()
    bytes[0] = 2
    expect(() => restoreKeyPackage(party.suite, new Secret(bytes), bob.own.signer)).toThrow(
      refusal('codec-unknown-case'),
    )
  })

  it('never restores from a part of it, and fails typed', async () => {
    const suite = suiteWith((length) => new Uint8Array(length).fill(7))
    const party = await Party.of(['alice'])
    const bob = await party.person('bob')
    const bytes = storeKeyPackage(await party.keyPackage(bob)).expose()
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (length) => {
        try {
          restoreKeyPackage(suite, new Secret(bytes.slice(0, length)), bob.own.signer)
        } catch (error) {
          return error instanceof ConclaveError
        }
        return false
      }),
    )
  })
})
