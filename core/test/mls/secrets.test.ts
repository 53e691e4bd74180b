import { describe, expect, it } from 'vitest'
import { type Bytes, emptyBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { decryptWithLabel, type HpkeKeyPair, Secret } from '../../src/crypto/secret/index.ts'
import { wipeKeyPackage } from '../../src/mls/bootstrap/index.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import { Group } from '../../src/mls/group/index.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
} from '../../src/mls/treekem/keySchedule.ts'
import { holds, type Subtree } from '../../src/mls/treesync/subtree.ts'
import { GroupContext, type HpkeCiphertext } from '../../src/wire/index.ts'
import { ContentType } from '../../src/wire/registry.ts'
import { inventWelcome } from './inventedGroup.ts'
import { epochOf, forgeCommit, touched } from './malformed.ts'
import { add, Party, publicMessageIn, welcomeIn } from './party.ts'
import { refusal } from './refusals.ts'
import { testCrypto } from './testCrypto.ts'
import { TracedCrypto } from './tracedCrypto.ts'

const names = ['alice', 'bob', 'carol', 'dave', 'erin']

/** The private keys of a member, by walking down to its leaf. */
function ownKeys({ privateTree, public: { tree } }: Epoch): readonly HpkeKeyPair[] {
  const keys: HpkeKeyPair[] = []
  let at: Subtree = tree.root
  for (;;) {
    const key = privateTree.keyOf(at)
    if (key !== undefined) keys.push(key)
    if (at.kind === 'leaf') return keys
    at = holds(at.left, privateTree.leafIndex) ? at.left : at.right
  }
}

/** The memory of every secret that a member of this epoch needs. */
function ownedBy(epoch: Epoch): readonly Bytes[] {
  return [
    ...Object.values(epoch.secrets).map((secret) => secret.expose()),
    epoch.messages.senderDataSecret.expose(),
    ...ownKeys(epoch).map(({ privateKey }) => privateKey.expose()),
  ]
}

async function tracedParty(): Promise<{
  party: Party
  crypto: TracedCrypto
  leaked: () => Promise<readonly string[]>
}> {
  const crypto = new TracedCrypto(testCrypto)
  const retention = { pastEpochs: 0, pastEpochMs: 0, resumptionPsks: 0 }
  const party = await Party.of(names, { environment: { crypto, retention } })
  // What KeyPackages and founding needed has its owners outside the group.
  crypto.forget()
  const leaked = async () => {
    const epochs = await Promise.all(party.participants.map(({ group }) => epochOf(group)))
    const secretTrees = epochs.flatMap(({ messages, safeExporter }) =>
      [messages.secretTree, safeExporter].map((tree) => tree.encodeState().expose()),
    )
    return crypto.leaked(new Set(epochs.flatMap(ownedBy)), secretTrees.map(toHex))
  }
  return { party, crypto, leaked }
}

describe('nothing is left but what the epoch needs', () => {
  it('after a commit, at its sender and at its receivers', async () => {
    const { party, crypto, leaked } = await tracedParty()
    await party.commit('bob')
    expect(crypto.count).toBeGreaterThan(100)
    expect(await leaked()).toEqual([])
    await party.deliver(await party.group('carol').proposeSelfRemove())
    await party.commit('dave')
    expect(await leaked()).toEqual([])
  })

  it('after an Add, at the newcomer too', async () => {
    const { party, crypto, leaked } = await tracedParty()
    const bundle = await party.keyPackage(await party.person('frank'))
    crypto.forget()
    const pending = await party.commit('bob', [add(bundle.keyPackage)])
    const frank = await Group.join(party.environment, {
      welcome: welcomeIn(pending.welcome),
      bundle,
      ratchetTree: async () => party.group('bob').ratchetTree,
    })
    party.participants.push({ person: party.at('bob').person, group: frank })
    expect(await leaked()).toEqual([])
  })

  it('after a commit that lost', async () => {
    const { party, leaked } = await tracedParty()
    const lost = await party.group('bob').commit({ authenticatedData: emptyBytes })
    await party.commit('alice')
    lost.discard()
    expect(await leaked()).toEqual([])
  })

  it('after an Update that was proposed while a commit of ours was under way', async () => {
    const { party, leaked } = await tracedParty()
    const bob = party.group('bob')
    const pending = await bob.commit()
    await bob.proposeUpdate()
    await party.settle('bob', pending)
    expect(await leaked()).toEqual([])
  })

  it.each([
    ['confirmation tag', 'commit-confirmation-tag-invalid'],
    ['path secret', 'commit-path-key-mismatch'],
    ['sealed length', 'commit-path-undecryptable'],
  ] as const)('after a commit with a forged %s', async (kind, code) => {
    const { party, crypto, leaked } = await tracedParty()
    const epoch = await epochOf(party.group('alice'))
    const forged = await forgeCommit(epoch, {
      ...(kind === 'confirmation tag'
        ? {
            auth: ({ signature, confirmationTag: tag }) => ({
              signature,
              confirmationTag: touched(tag ?? emptyBytes),
            }),
          }
        : {
            pathSecret: () => new Secret(new Uint8Array(kind === 'path secret' ? 32 : 5).fill(7)),
          }),
    })
    crypto.forget()
    for (const { group } of party.others('alice')) {
      expect(await group.receive(forged.message)).toMatchObject({
        kind: 'rejected',
        error: { code },
      })
    }
    expect(crypto.count).toBeGreaterThan(0)
    expect(await leaked()).toEqual([])
  })

  it('after a removal, which is nothing at all for who was removed', async () => {
    const { party } = await tracedParty()
    const epoch = await epochOf(party.group('carol'))
    const keys = ownKeys(epoch)
    expect(keys.length).toBeGreaterThan(1)
    await party.deliver(await party.group('carol').proposeSelfRemove())
    await party.commit('alice')
    for (const secret of Object.values(epoch.secrets)) expect(secret.wiped).toBe(true)
    for (const { privateKey } of keys) expect(privateKey.wiped).toBe(true)
  })

  it('after closing, which is nothing at all', async () => {
    const { party } = await tracedParty()
    const epoch = await epochOf(party.group('carol'))
    const keys = ownKeys(epoch)
    party.group('carol').close()
    party.group('carol').close()
    for (const secret of Object.values(epoch.secrets)) expect(secret.wiped).toBe(true)
    for (const { privateKey } of keys) expect(privateKey.wiped).toBe(true)
  })

  it('after closing while a message or a commit is under way', async () => {
    const { party, crypto, leaked } = await tracedParty()
    const pending = await party.group('alice').commit({ authenticatedData: emptyBytes })
    pending.discard()
    for (const name of ['bob', 'carol']) {
      crypto.forget()
      const group = party.group(name)
      crypto.whenKeyIsDerived = () => group.close()
      if (name === 'bob') {
        expect(await group.receive(pending.message)).toMatchObject({ kind: 'rejected' })
      } else {
        await expect(group.commit({})).rejects.toEqual(refusal('group-left'))
      }
      crypto.whenKeyIsDerived = () => {}
      party.participants = [...party.others(name)]
      expect(await leaked()).toEqual([])
    }
  })

  it('after a refused Welcome', async () => {
    const { party, crypto } = await tracedParty()
    const bundle = await party.keyPackage(await party.person('frank'))
    const pending = await party.commit('bob', [add(bundle.keyPackage)])
    const welcome = welcomeIn(pending.welcome)
    const { group } = party.at('bob')
    const other = party.group('alice').ratchetTree.slice(0, 1)
    const invented = (over: Partial<Parameters<typeof inventWelcome>[1]>) =>
      inventWelcome(party.suite, {
        signer: party.at('bob').person.own.signer,
        signerLeaf: group.leafIndex,
        context: group.groupContext,
        tree: group.public.tree,
        newcomer: bundle.keyPackage,
        ...over,
      })
    const tree = { ratchetTree: async () => group.ratchetTree }
    const pathSecret = (length: number) => new Secret(new Uint8Array(length).fill(7))
    const cases = [
      [{ welcome }, 'welcome-tree-missing'],
      [{ welcome, ratchetTree: async () => other }, 'tree-hash-mismatch'],
      [
        { welcome: { ...welcome, encryptedGroupInfo: touched(welcome.encryptedGroupInfo) } },
        'welcome-undecryptable',
      ],
      [
        { welcome: await invented({ sealedUnder: pathSecret(32) }), ...tree },
        'welcome-undecryptable',
      ],
      [
        { welcome: await invented({ confirmationTag: touched }), ...tree },
        'commit-confirmation-tag-invalid',
      ],
      [
        { welcome: await invented({ pathSecret: pathSecret(32) }), ...tree },
        'welcome-path-secret-wrong',
      ],
      [
        { welcome: await invented({ pathSecret: pathSecret(3) }), ...tree },
        'welcome-path-secret-wrong',
      ],
    ] as const
    for (const [joining, code] of cases) {
      crypto.forget()
      await expect(Group.join(party.environment, { bundle, ...joining })).rejects.toEqual(
        refusal(code),
      )
      expect(crypto.leaked(new Set())).toEqual([])
    }
    wipeKeyPackage(bundle)
    expect(bundle.leafKey.privateKey.wiped).toBe(true)
  })

  it('after founding a group that the policy refuses', async () => {
    const { party, crypto } = await tracedParty()
    const { own } = party.at('alice').person
    crypto.forget()
    const founding = Group.found(party.environment, {
      cipherSuite: 1,
      groupId: utf8('other'),
      own,
      lifetime: party.lifetime(),
      extensions: [],
    })
    await expect(founding).rejects.toEqual(refusal('meeting-extension-invalid'))
    expect(crypto.leaked(new Set())).toEqual([])
  })
})

/** Everything that a commit's path seals, with the context that it is sealed under. */
async function sealedBy(
  group: Group,
  message: Bytes,
): Promise<{ context: Bytes; ciphertexts: readonly HpkeCiphertext[] }> {
  const { content, auth } = publicMessageIn(message)
  if (content.contentType !== ContentType.commit) throw new Error('not a commit')
  const effect = await group.public.evaluateCommit({ wireFormat: 1, content, auth })
  return {
    context: encode(GroupContext, effect.provisionalContext),
    ciphertexts: content.commit.path?.nodes.flatMap((n) => n.encryptedPathSecret) ?? [],
  }
}

async function openedBy(
  party: Party,
  keys: readonly HpkeKeyPair[],
  { context, ciphertexts }: Awaited<ReturnType<typeof sealedBy>>,
): Promise<number> {
  let opened = 0
  for (const key of keys) {
    for (const ciphertext of ciphertexts) {
      await decryptWithLabel(party.suite, key, 'UpdatePathNode', context, ciphertext).then(
        () => opened++,
        () => {},
      )
    }
  }
  return opened
}

function copied(keys: readonly HpkeKeyPair[]): readonly HpkeKeyPair[] {
  return keys.map(({ publicKey, privateKey }) => ({ publicKey, privateKey: privateKey.copy() }))
}

describe('with everything that it had kept, a removed member', () => {
  it('opens no path secret of the commit that removes it, while a member opens one', async () => {
    const party = await Party.of(names)
    await party.commit('dave')
    const kept = copied(ownKeys(await epochOf(party.group('carol'))))
    const stays = copied(ownKeys(await epochOf(party.group('bob'))))
    await party.deliver(await party.group('carol').proposeSelfRemove())
    const follower = party.group('erin')
    const pending = await party.group('alice').commit({ authenticatedData: emptyBytes })
    const sealed = await sealedBy(follower, pending.message)
    expect(kept.length).toBeGreaterThan(2)
    expect(await openedBy(party, kept, sealed)).toBe(0)
    expect(await openedBy(party, stays, sealed)).toBe(1)
  })

  it('derives no secret of the next epoch from the last one and what everybody can see', async () => {
    const party = await Party.of(names)
    const { secrets } = await epochOf(party.group('carol'))
    const initSecret = secrets.initSecret.copy()
    await party.deliver(await party.group('carol').proposeSelfRemove())
    await party.commit('alice')
    const { groupContext } = party.group('alice')
    const { confirmationTag: tag } = await epochOf(party.group('alice'))
    // All that it lacks is the commit secret: it tries none, as for a commit without a path.
    const guess = new Secret(new Uint8Array(32))
    const joiner = deriveJoinerSecret(party.suite, initSecret, guess, groupContext)
    const member = deriveMemberSecret(party.suite, joiner, new Secret(new Uint8Array(32)))
    const derived = deriveEpochSecrets(party.suite, member, groupContext)
    const hash = groupContext.confirmedTranscriptHash
    expect(toHex(confirmationTag(party.suite, derived, hash))).not.toBe(toHex(tag))
  })

  it('is in no list of those that a later commit seals to', async () => {
    const party = await Party.of(names)
    const kept = copied(ownKeys(await epochOf(party.group('carol'))))
    await party.deliver(await party.group('carol').proposeSelfRemove())
    await party.commit('alice')
    for (const name of ['dave', 'bob', 'erin']) {
      const follower = party.others(name)[0]?.group
      const pending = await party.group(name).commit({ authenticatedData: emptyBytes })
      const sealed = await sealedBy(follower ?? party.group('alice'), pending.message)
      expect(await openedBy(party, kept, sealed)).toBe(0)
      await party.settle(name, pending)
    }
  })
})

describe('with everything that it has, a joiner', () => {
  it('opens no path secret of the commits before it, nor of the one that added it', async () => {
    const party = await Party.of(names)
    const before = await party.group('bob').commit({ authenticatedData: emptyBytes })
    const earlier = await sealedBy(party.group('alice'), before.message)
    await party.settle('bob', before)
    const bundle = await party.keyPackage(await party.person('frank'))
    const adding = await party.group('alice').commit({
      proposals: [add(bundle.keyPackage)],
      authenticatedData: emptyBytes,
    })
    const own = await sealedBy(party.group('bob'), adding.message)
    await party.settle('alice', adding)
    const frank = await Group.join(party.environment, {
      welcome: welcomeIn(adding.welcome),
      bundle,
      ratchetTree: async () => party.group('bob').ratchetTree,
    })
    const keys = ownKeys(await epochOf(frank))
    expect(keys.length).toBeGreaterThan(1)
    expect(await openedBy(party, keys, earlier)).toBe(0)
    expect(await openedBy(party, keys, own)).toBe(0)
  })

  it('shares no secret with the epoch before it', async () => {
    const party = await Party.of(names)
    const before = Object.values((await epochOf(party.group('bob'))).secrets).map(hex)
    await party.add('alice', ['frank'])
    const after = Object.values((await epochOf(party.group('frank'))).secrets).map(hex)
    expect(new Set([...before, ...after]).size).toBe(before.length + after.length)
  })
})

function hex(secret: Secret): string {
  return toHex(secret.expose())
}
