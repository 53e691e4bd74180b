import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyBytes } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import {
  createKeyPackage,
  greaseExtensions,
  greaseLeaf,
  greaseValues,
  type KeyPackageBundle,
} from '../../src/mls/bootstrap/index.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy as permissive } from '../../src/mls/public/index.ts'
import type { RandomBytes } from '../../src/runtime.ts'
import { RequiredCapabilities } from '../../src/wire/index.ts'
import { ExtensionType, ProposalType } from '../../src/wire/registry.ts'
import { seededRandom } from '../crypto/suite.ts'
import { add, groupInfoIn, Party, type Person, viewOf, welcomeIn } from './party.ts'
import { refusal } from './refusals.ts'

const runs = { numRuns: 10 }

/** Someone whose leaf and KeyPackage are full of what nobody knows. */
async function greasedPerson(party: Party, name: string, seed: number): Promise<Person> {
  const person = await party.person(name)
  return { ...person, own: greaseLeaf(seededRandom(`${name} ${seed}`), person.own) }
}

async function greasedKeyPackage(
  party: Party,
  person: Person,
  seed: number,
): Promise<KeyPackageBundle> {
  const extensions = greaseExtensions(seededRandom(`package ${seed}`), [])
  return createKeyPackage(party.suite, person.own, party.lifetime(), { extensions })
}

async function enter(party: Party, by: string, person: Person, seed: number): Promise<void> {
  const bundle = await greasedKeyPackage(party, person, seed)
  const pending = await party.commit(by, [add(bundle.keyPackage)])
  const group = await Group.join(party.environment, {
    welcome: welcomeIn(pending.welcome),
    bundle,
    ratchetTree: async () => party.group(by).ratchetTree,
  })
  party.participants.push({ person, group })
}

/** Joins by an external commit, on a GroupInfo that has extensions which nobody knows. */
async function enterExternally(party: Party, person: Person, random: RandomBytes): Promise<void> {
  const groupInfo = groupInfoIn(
    await party.group('alice').groupInfo({
      externalPub: true,
      ratchetTree: true,
      extensions: greaseExtensions(random, []),
    }),
  )
  const pending = await Group.joinExternally(party.environment, { groupInfo, own: person.own })
  await party.deliver(pending.message)
  party.participants.push({ person, group: Group.enter(pending) })
}

describe('GREASE (RFC 9420 §13.5)', () => {
  it('has the fifteen values that the registries keep free', () => {
    expect(greaseValues.map((value) => value.toString(16).padStart(4, '0'))).toEqual(
      [...'0123456789abcde'].map((digit) => `${digit}a${digit}a`),
    )
  })

  it('in a leaf is listed in its capabilities, never twice, and takes nothing away', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const party = await Party.of(['alice'])
        const person = await party.person('bob')
        const { own } = await greasedPerson(party, 'bob', seed)
        const types = own.extensions.map((e) => e.extensionType)
        expect(new Set(types).size).toBe(types.length)
        expect(types.length).toBeGreaterThan(person.own.extensions.length)
        for (const type of types) expect(own.capabilities.extensions).toContain(type)
        for (const [field, values] of Object.entries(person.own.capabilities)) {
          const greased = own.capabilities[field as keyof typeof own.capabilities]
          const meant = values.filter((value) => !greaseValues.includes(value))
          expect(greased.slice(0, meant.length)).toEqual(meant)
          expect(new Set(greased).size).toBe(greased.length)
          for (const value of greased.slice(meant.length)) expect(greaseValues).toContain(value)
        }
      }),
      runs,
    )
  })

  it('everywhere that it may stand hinders nobody', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(`everywhere ${seed}`)
        const party = await Party.of(['alice'], { policy: permissive, extensions: [] })
        for (const [i, name] of ['bob', 'carol'].entries()) {
          await enter(party, 'alice', await greasedPerson(party, name, seed + i), seed + i)
        }
        await enterExternally(party, await greasedPerson(party, 'dave', seed), random)
        await party.commit('carol')
        const leaf = greaseLeaf(random, party.at('bob').person.own)
        await party.deliver(await party.group('bob').proposeUpdate({ leaf }))
        await party.commit('dave')
        await party.propose('dave', { proposalType: ProposalType.selfRemove })
        await party.commit('bob')
        const [first, ...others] = party.participants.map(({ group }) => viewOf(group))
        expect(others).toHaveLength(2)
        for (const other of others) expect(other).toEqual(first)
      }),
      runs,
    )
  })

  it('in a leaf that does not list it is refused by the rule for any extension', async () => {
    const party = await Party.of(['alice', 'bob'])
    const person = await party.person('carol')
    const extensions = [
      ...person.own.extensions,
      { extensionType: 0xdada, extensionData: emptyBytes },
    ]
    const own = { ...person.own, extensions }
    const { keyPackage } = await createKeyPackage(party.suite, own, party.lifetime())
    await expect(
      party.group('alice').commit({ proposals: [add(keyPackage)], authenticatedData: emptyBytes }),
    ).rejects.toEqual(refusal('leaf-extension-unlisted'))
  })

  it('that a group demands keeps out everyone who does not list it', async () => {
    const required = encode(RequiredCapabilities, {
      extensionTypes: [0xeaea],
      proposalTypes: [],
      credentialTypes: [],
    })
    const extensions = [
      { extensionType: ExtensionType.requiredCapabilities, extensionData: required },
    ]
    await expect(Party.of(['alice'], { policy: permissive, extensions })).rejects.toEqual(
      refusal('leaf-capabilities-insufficient'),
    )
  })
})
