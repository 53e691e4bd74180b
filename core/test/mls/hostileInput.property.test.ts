import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Bytes, emptyBytes, equalBytes } from '../../src/codec/bytes.ts'
import { type Codec, decode, encode } from '../../src/codec/tls.ts'
import { ConclaveError } from '../../src/error.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import { Group } from '../../src/mls/group/index.ts'
import { PublicGroup } from '../../src/mls/public/index.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  FramedContent,
  GroupInfo,
  GroupInfoTbs,
  LeafNode,
  type LeafNodeContent,
  MlsMessage,
  Proposal,
  RatchetTree,
  Welcome,
} from '../../src/wire/index.ts'
import { ContentType, ProposalType, SenderType } from '../../src/wire/registry.ts'
import { damage } from './damage.ts'
import { inventWelcome, scene } from './inventedGroup.ts'
import {
  byReference,
  byValue,
  contentOf,
  epochOf,
  forgeCommit,
  forgeNewcomer,
  forgeUpdate,
  frame,
  frameProposal,
} from './malformed.ts'
import { add, Party, publicMessageIn, remove, viewOf } from './party.ts'
import { expectAlive, publicViewOf } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave', 'mallory']

/** What damaged input came to, by code; `accepted` where it was none that mattered. */
class Outcomes {
  readonly #counts = new Map<string, number>()
  #slowest = 0

  /** Runs an attempt that may fail with a ConclaveError and with nothing else. */
  async of(attempt: () => Promise<string>): Promise<string> {
    const started = performance.now()
    const outcome = await attempt().catch((error: unknown) => {
      if (error instanceof ConclaveError) return error.code
      throw error
    })
    this.#slowest = Math.max(this.#slowest, performance.now() - started)
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1)
    return outcome
  }

  /**
   * The damage has to have reached all these rules, or it shows nothing; and nothing took long.
   */
  expectMet(...codes: readonly string[]): void {
    for (const code of codes) {
      expect(this.#counts.get(code) ?? 0, `${code} of ${this.#summary}`).toBeGreaterThan(0)
    }
    expect(this.#slowest, 'the slowest attempt in milliseconds').toBeLessThan(10_000)
  }

  get #summary(): string {
    return JSON.stringify(Object.fromEntries(this.#counts))
  }
}

/** What is read from damaged bytes; undefined where it is nothing, or what it was before. */
function reread<T>(codec: Codec<T>, original: Bytes, harm: (bytes: Bytes) => Bytes): T | undefined {
  const harmed = harm(original)
  // Several pieces of damage can undo each other.
  if (equalBytes(harmed, original)) return undefined
  try {
    return decode(codec, harmed)
  } catch (error) {
    if (error instanceof ConclaveError) return undefined
    throw error
  }
}

const seed = 9420

/** A group with messages of every kind for its present epoch. */
async function busyParty() {
  const party = await Party.of(names)
  await party.commit('bob')
  const epoch = await epochOf(party.group('mallory'))
  const leaving = await party.group('carol').proposeSelfRemove()
  const removal = await frameProposal(epoch, remove(party.leaf('dave')), {
    sender: { senderType: SenderType.external, senderIndex: 0 },
    signer: party.keyserver,
  })
  const refs = [await party.cache(leaving), await party.cache(removal)]
  const newcomer = await forgeNewcomer(party, {})
  // The same secrets, with the proposals that everyone has received.
  const commit = await forgeCommit(await epochOf(party.group('mallory')), {
    proposals: [...refs.map(byReference), byValue(add(newcomer))],
  })
  const proposals: readonly Proposal[] = [
    add(newcomer),
    await forgeUpdate(epoch),
    remove(party.leaf('bob')),
    { proposalType: ProposalType.selfRemove },
    { proposalType: ProposalType.groupContextExtensions, extensions: party.extensions },
  ]
  return { party, epoch, leaving, removal, commit, proposals }
}

it('a message damaged on its way is rejected and changes nothing', async () => {
  const { party, leaving, removal, commit } = await busyParty()
  const alice = party.group('alice')
  const before = viewOf(alice)
  const outcomes = new Outcomes()
  const real = [leaving, removal, commit.message]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...real), damage, async (message, harm) => {
      const harmed = harm(message)
      if (real.some((one) => equalBytes(one, harmed))) return
      const outcome = await outcomes.of(async () => {
        const received = await alice.receive(harmed)
        return 'error' in received ? received.error.code : received.kind
      })
      expect(['proposal', 'commit', 'removed']).not.toContain(outcome)
    }),
    { numRuns: 1500, seed },
  )
  expect(viewOf(alice)).toEqual(before)
  outcomes.expectMet(
    'message-membership-tag-invalid',
    'message-signature-invalid',
    'message-epoch-future',
    'message-group-mismatch',
    'codec-truncated',
    'codec-trailing-bytes',
    'codec-unknown-case',
  )
  await party.deliver(commit.message, party.others('mallory'))
})

it('a commit that a member damages before signing it is rejected and changes nothing', async () => {
  const { party, epoch, commit } = await busyParty()
  const alice = party.group('alice')
  const before = viewOf(alice)
  const { content, auth } = publicMessageIn(commit.message)
  const original = encode(FramedContent, content)
  const outcomes = new Outcomes()
  await fc.assert(
    fc.asyncProperty(damage, async (harm) => {
      const harmed = reread(FramedContent, original, harm)
      if (harmed === undefined || harmed.contentType !== ContentType.commit) return
      const message = await frame(epoch, harmed, auth.confirmationTag)
      const outcome = await outcomes.of(async () => {
        const received = await alice.receive(message)
        return 'error' in received ? received.error.code : received.kind
      })
      expect(['proposal', 'commit', 'removed']).not.toContain(outcome)
    }),
    { numRuns: 1200, seed },
  )
  expect(viewOf(alice)).toEqual(before)
  outcomes.expectMet(
    'leaf-signature-invalid',
    'key-package-signature-invalid',
    'proposal-unknown-reference',
    'commit-path-parent-hash-wrong',
    'commit-path-undecryptable',
    'message-sender-unknown',
  )
  await party.deliver(commit.message, party.others('mallory'))
})

it('a proposal that a member damages before signing it is refused', async () => {
  const { party, epoch, proposals } = await busyParty()
  const follower = party.group('alice').public
  const before = publicViewOf(follower)
  const outcomes = new Outcomes()
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...proposals), damage, async (proposal, harm) => {
      const harmed = reread(Proposal, encode(Proposal, proposal), harm)
      if (harmed === undefined) return
      const message = await frameProposal(epoch, harmed)
      const outcome = await outcomes.of(async () => {
        await follower.withProposal(publicMessageIn(message))
        return 'accepted'
      })
      expect(outcome).not.toBe('accepted')
    }),
    { numRuns: 1200, seed },
  )
  expect(publicViewOf(follower)).toEqual(before)
  outcomes.expectMet(
    'proposal-not-authorised',
    'key-package-signature-invalid',
    'leaf-signature-invalid',
    'leaf-version-unsupported',
  )
})

it('a leaf that its owner damages before signing it is judged, and harms no commit where it passes', async () => {
  const { party } = await busyParty()
  const epoch = await epochOf(party.group('mallory'))
  const follower = party.group('alice').public
  const before = publicViewOf(follower)
  const outcomes = new Outcomes()
  const passed: Bytes[] = []
  await fc.assert(
    fc.asyncProperty(fc.boolean(), damage, async (isUpdate, harm) => {
      const leaf = (honest: LeafNodeContent): LeafNodeContent =>
        reread(LeafNode, encode(LeafNode, { ...honest, signature: emptyBytes }), harm) ?? honest
      const proposal = isUpdate
        ? await forgeUpdate(epoch, leaf)
        : add(await forgeNewcomer(party, { leaf }))
      const message = await frameProposal(epoch, proposal)
      await outcomes.of(async () => {
        await follower.withProposal(publicMessageIn(message))
        passed.push(message)
        return 'accepted'
      })
    }),
    { numRuns: 450, seed },
  )
  expect(publicViewOf(follower)).toEqual(before)
  outcomes.expectMet(
    'accepted',
    'leaf-capabilities-insufficient',
    'leaf-extension-unlisted',
    'leaf-version-unsupported',
    'member-extension-invalid',
  )
  for (const message of passed.slice(0, 16)) {
    for (const { group } of party.participants) await group.receive(message)
  }
  // mallory's forged Update has a key that her Group does not know.
  party.participants = [...party.others('mallory')]
  await expectAlive(party)
})

it('what a committer uploads beside its commit is refused wherever it is damaged', async () => {
  const { party, commit } = await busyParty()
  const follower = party.group('alice').public
  const before = publicViewOf(follower)
  const message = publicMessageIn(commit.message)
  const outcomes = new Outcomes()
  const uploads = fc.constantFrom('message', 'groupInfo', 'welcome')
  await fc.assert(
    fc.asyncProperty(uploads, damage, async (which, harm) => {
      const welcome = commit.welcome as Welcome
      const harmed =
        which === 'message'
          ? reread(MlsMessage, commit.message, harm)
          : which === 'groupInfo'
            ? reread(GroupInfo, encode(GroupInfo, commit.groupInfo), harm)
            : reread(Welcome, encode(Welcome, welcome), harm)
      if (harmed === undefined) return
      const isMessage = 'wireFormat' in harmed
      if (isMessage && harmed.wireFormat !== 1) return
      await outcomes.of(async () => {
        await follower.withCommit(
          isMessage && harmed.wireFormat === 1 ? harmed.publicMessage : message,
          'groupContext' in harmed ? harmed : commit.groupInfo,
          'secrets' in harmed ? harmed : welcome,
        )
        return 'accepted'
      })
    }),
    { numRuns: 1200, seed },
  )
  expect(publicViewOf(follower)).toEqual(before)
  outcomes.expectMet(
    'message-signature-invalid',
    'group-info-context-mismatch',
    'group-info-signature-invalid',
    'group-info-confirmation-tag-invalid',
    'welcome-incomplete',
    'welcome-suite-mismatch',
  )
})

it('a damaged tree is never opened, and a damaged GroupInfo is judged, though a member signed for it', async () => {
  const { party, alice } = await scene()
  const { signer } = party.at('alice').person.own
  const outcomes = new Outcomes()
  const plain: GroupInfoTbs = {
    groupContext: alice.groupContext,
    extensions: [],
    confirmationTag: (await epochOf(alice)).confirmationTag,
    signer: alice.leafIndex,
  }
  const encodedTree = encode(RatchetTree, alice.ratchetTree)
  await fc.assert(
    fc.asyncProperty(fc.boolean(), damage, async (inTree, harm) => {
      const nodes = inTree ? reread(RatchetTree, encodedTree, harm) : alice.ratchetTree
      const info = inTree ? plain : reread(GroupInfoTbs, encode(GroupInfoTbs, plain), harm)
      if (nodes === undefined || info === undefined) return
      const outcome = await outcomes.of(async () => {
        const { treeHash } = inTree
          ? { treeHash: PublicTree.fromRatchetTree(nodes).treeHash(party.suite) }
          : info.groupContext
        const groupContext = { ...info.groupContext, treeHash }
        const groupInfo = await signGroupInfo(signer, { ...info, groupContext })
        await PublicGroup.open(party.environment, groupInfo, nodes)
        return inTree ? 'damaged tree accepted' : 'accepted'
      })
      expect(outcome).not.toBe('damaged tree accepted')
    }),
    { numRuns: 1000, seed },
  )
  outcomes.expectMet(
    'tree-parent-hash-invalid',
    'leaf-signature-invalid',
    'tree-hash-mismatch',
    'suite-unsupported',
    'meeting-terms-differ',
    'group-info-signature-invalid',
  )
})

it('a Welcome that is damaged, outside or inside, is refused and leaves the KeyPackage usable', async () => {
  const of = await scene()
  const { party, bundle, alice } = of
  const { signer } = party.at('alice').person.own
  const invitation = {
    signer,
    signerLeaf: alice.leafIndex,
    context: alice.groupContext,
    tree: alice.public.tree,
    newcomer: bundle.keyPackage,
  }
  const sound = await inventWelcome(party.suite, invitation)
  const outcomes = new Outcomes()
  const join = (welcome: Welcome, tree: RatchetTree) =>
    Group.join(party.environment, { welcome, bundle, ratchetTree: async () => tree })
  const parts = fc.constantFrom('welcome', 'groupInfo', 'tree')
  await fc.assert(
    fc.asyncProperty(parts, damage, async (part, harm) => {
      await outcomes.of(async () => {
        if (part === 'welcome') {
          const welcome = reread(Welcome, encode(Welcome, sound), harm)
          if (welcome === undefined) return 'unreadable'
          await join(welcome, alice.ratchetTree)
        } else if (part === 'tree') {
          const nodes = reread(RatchetTree, encode(RatchetTree, alice.ratchetTree), harm)
          if (nodes === undefined) return 'unreadable'
          const tree = PublicTree.fromRatchetTree(nodes)
          const welcome = await inventWelcome(party.suite, { ...invitation, tree })
          await join(welcome, nodes)
        } else {
          const welcome = await inventWelcome(party.suite, {
            ...invitation,
            groupInfo: (info) => reread(GroupInfoTbs, encode(GroupInfoTbs, info), harm) ?? info,
            confirmationTag: () => emptyBytes,
          })
          await join(welcome, alice.ratchetTree)
        }
        throw new Error(`a damaged ${part} was accepted`)
      })
    }),
    { numRuns: 400, seed },
  )
  outcomes.expectMet(
    'welcome-not-for-us',
    'welcome-undecryptable',
    'tree-hash-mismatch',
    'tree-parent-hash-invalid',
    'leaf-signature-invalid',
    'commit-confirmation-tag-invalid',
  )
  const joined = await join(sound, alice.ratchetTree)
  expect(joined.groupContext).toEqual(alice.groupContext)
})

it('noise is rejected and changes nothing', async () => {
  const party = await Party.of(names)
  const alice = party.group('alice')
  const before = viewOf(alice)
  const header = await epochOf(alice).then((epoch) => contentOf(epoch))
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (noise, headed) => {
      const bytes = headed
        ? Uint8Array.of(0, 1, 0, 1, header.groupId.length, ...header.groupId, ...noise)
        : noise.slice()
      expect(await alice.receive(bytes)).toMatchObject({ kind: 'rejected' })
    }),
    { numRuns: 500, seed },
  )
  expect(viewOf(alice)).toEqual(before)
  await expectAlive(party)
})
