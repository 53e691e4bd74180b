import { describe, expect, it } from 'vitest'
import { decode } from '../../src/codec/tls.ts'
import { rememberingCrypto, type SecretCrypto } from '../../src/crypto/secret/index.ts'
import { MeetingError, meetingPolicy, memberExtension } from '../../src/meeting/index.ts'
import { ConclaveMember } from '../../src/meeting/memberExtension.ts'
import { type GroupPolicy, PublicGroup, permissivePolicy } from '../../src/mls/public/index.ts'
import { authenticated } from '../../src/mls/public/publicGroup.ts'
import { providers, seededRandom } from '../crypto/suite.ts'
import { add, groupInfoIn, meetingId, Party, type Person, publicMessageIn } from '../mls/party.ts'
import { refusal } from '../mls/refusals.ts'

const policy = meetingPolicy({ meetingId, trust: { policy: 'open' } })
const count = 24

/** The same person, whose device has signed something else than what the leaf says. */
function uncertified(person: Person): Person {
  const [extension] = person.own.extensions
  if (extension === undefined) throw new Error('the leaf has no conclave_member')
  const member = decode(ConclaveMember, extension.extensionData)
  const deviceSignature = member.deviceSignature.with(7, (member.deviceSignature[7] as number) ^ 1)
  const extensions = [memberExtension({ ...member, deviceSignature })]
  return { ...person, own: { ...person.own, extensions } }
}

/**
 * A group that checks nobody, with alice and many others, and a commit that adds as many: the one
 * of them that `bad` names is uncertified.
 */
async function crowd(bad: { readonly member?: number; readonly added?: number } = {}) {
  const party = await Party.of(['alice'], { policy: permissivePolicy })
  const adds = async (kind: string, chosen: number | undefined) => {
    const people = await Promise.all(
      Array.from({ length: count }, (_, i) => party.person(`${kind} ${i}`)),
    )
    const bundles = await Promise.all(
      people.map((person, i) => party.keyPackage(i === chosen ? uncertified(person) : person)),
    )
    return bundles.map(({ keyPackage }) => add(keyPackage))
  }
  await party.commit('alice', await adds('member', bad.member))
  const alice = party.group('alice')
  const groupInfo = groupInfoIn(await alice.groupInfo())
  const { message } = await alice.commit({ proposals: await adds('newcomer', bad.added) })
  return {
    open: (crypto: SecretCrypto, asked: GroupPolicy = policy) =>
      PublicGroup.open(
        { ...party.environment, crypto, policy: asked },
        groupInfo,
        alice.ratchetTree,
      ),
    judge: (group: PublicGroup) => group.evaluateCommit(authenticated(publicMessageIn(message))),
  }
}

/** Counts the signatures that are verified: alone, and side by side. */
function counting(crypto: SecretCrypto) {
  let alone = 0
  let beside = 0
  const publicSuite: SecretCrypto['publicSuite'] = (id) => {
    const suite = crypto.publicSuite(id)
    return (
      suite && {
        ...suite,
        verify: (...signed) => {
          alone += 1
          return suite.verify(...signed)
        },
        verifyAll: (signed) => {
          beside += signed.length
          return suite.verifyAll(signed)
        },
      }
    )
  }
  const counted: SecretCrypto = { publicSuite, secretSuite: crypto.secretSuite.bind(crypto) }
  return { crypto: counted, alone: () => alone, all: () => alone + beside }
}

describe.each([...providers])('many leaves with %s', (_, provider) => {
  const crypto = provider(seededRandom('many leaves'))

  it('are taken, in a tree and in a commit', async () => {
    const { open, judge } = await crowd()
    const group = await open(crypto)
    expect(group.tree.memberCount).toBe(count + 1)
    expect((await judge(group)).added).toHaveLength(count)
  })

  it('are verified side by side, with the signatures of their devices', async () => {
    const { open, judge } = await crowd()
    const counted = counting(crypto)
    const group = await open(counted.crypto)
    // The GroupInfo's.
    expect(counted.alone()).toBe(1)
    await judge(group)
    // The path's leaf says the same of the same key as before.
    expect(counted.alone()).toBe(2)
  })

  it.each([0, 11, count - 1])(
    'are refused where the device of number %d did not sign',
    async (i) => {
      const stranger = refusal('member-extension-invalid')
      const members = await crowd({ member: i })
      await expect(members.open(crypto)).rejects.toEqual(stranger)
      const { open, judge } = await crowd({ added: i })
      await expect(judge(await open(crypto))).rejects.toEqual(stranger)
    },
  )
})

describe('a provider that remembers signatures', () => {
  const web = providers.get('web')?.(seededRandom('remembered')) as SecretCrypto

  it('verifies no leaf of a tree that it has opened before, nor Adds that it has judged', async () => {
    const { open, judge } = await crowd()
    const counted = counting(web)
    const crypto = rememberingCrypto(counted.crypto)
    await judge(await open(crypto))
    const once = counted.all()
    expect(once).toBe(1 + 2 * (count + 1) + 3 * count + 1)
    await judge(await open(crypto))
    // The GroupInfo's is none of a leaf.
    expect(counted.all()).toBe(once + 1)
  })

  it('takes no leaf for another of the same person, nor a bad one after good ones', async () => {
    const crypto = rememberingCrypto(web)
    const good = await crowd()
    await good.judge(await good.open(crypto))
    const members = await crowd({ member: 3 })
    const stranger = refusal('member-extension-invalid')
    for (let i = 0; i < 2; i++) await expect(members.open(crypto)).rejects.toEqual(stranger)
    await good.open(crypto)
  })
})

describe('of several leaves that are refused', () => {
  it('the first says why, whichever is found first', async () => {
    const { open } = await crowd()
    const crypto = providers.get('web')?.(seededRandom('first')) as SecretCrypto
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    let asked = 0
    const refusing: GroupPolicy = {
      ...permissivePolicy,
      checkLeaf: async () => {
        const nth = ++asked
        if (nth === count) release()
        if (nth === 9) throw new MeetingError('member-too-large', 'found first')
        if (nth !== 5) return
        await released
        throw new MeetingError('member-changed', 'found last')
      },
    }
    await expect(open(crypto, refusing)).rejects.toEqual(refusal('member-changed'))
  })
})
