import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { CryptoError } from '../../crypto/cryptoError.ts'
import { decryptWithLabel, encryptWithLabel } from '../../crypto/secret/labels.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { GroupContext } from '../../wire/groupContext.ts'
import type { LeafIndex, LeafNode, UpdatePath, UpdatePathNode } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { sealTargets } from '../public/publicPath.ts'
import { commonAncestorLevel } from '../treeMath.ts'
import { pathParentHashes } from '../treesync/parentHash.ts'
import type { PathStep, PublicTree } from '../treesync/publicTree.ts'
import { holds } from '../treesync/subtree.ts'
import { type DerivedPath, derivePath } from './pathSecrets.ts'
import type { PrivateTree } from './privateTree.ts'

const pathLabel = 'UpdatePathNode'

/** What comes of a path for a member: its new keys by level, and the commit secret. */
export interface PathOutcome {
  readonly keys: ReadonlyMap<number, HpkeKeyPair>
  readonly commitSecret: Secret
}

export interface CreatedPath extends PathOutcome {
  readonly path: UpdatePath
  readonly tree: PublicTree
  /** §12.4.3.1: what a new member needs, the secret of the lowest node above both it and us. */
  pathSecretFor(leaf: LeafIndex): Secret
  /** Wipes the path secrets and the commit secret; the keys remain. */
  wipeSecrets(): void
}

export interface PathPlan {
  /** After the proposals. */
  readonly tree: PublicTree
  readonly leafIndex: LeafIndex
  readonly added: readonly LeafIndex[]
  /** Makes and signs the new leaf node. */
  readonly makeLeaf: (encryptionKey: Bytes, parentHash: Bytes) => Promise<LeafNode>
  /** The provisional GroupContext for the tree with the path merged. */
  readonly contextOf: (tree: PublicTree) => GroupContext
}

/** RFC 9420 §7.5, the committer's side. */
export async function createPath(crypto: SecretSuite, plan: PathPlan): Promise<CreatedPath> {
  const { tree, leafIndex, added } = plan
  const steps = tree.filteredDirectPath(leafIndex)
  const derived = await derivePath(crypto, new Secret(crypto.random(crypto.suite.Nh)), steps.length)
  const leafSecret = new Secret(crypto.random(crypto.suite.Nh))
  const leafKey = await crypto.deriveKeyPair(leafSecret)
  leafSecret.wipe()
  const keys = new Map([[0, leafKey], ...keysByLevel(steps, derived.keys)])
  const wipeSecrets = () => {
    for (const secret of [...derived.secrets, derived.commitSecret]) secret.wipe()
  }
  try {
    const publicKeys = derived.keys.map(({ publicKey }) => publicKey)
    const { parentNodes, leafParentHash } = pathParentHashes(crypto, steps, publicKeys)
    const leafNode = await plan.makeLeaf(leafKey.publicKey, leafParentHash)
    const merged = tree.withPath(leafIndex, leafNode, steps, parentNodes)
    const nodes = await sealPath(crypto, steps, derived, added, plan.contextOf(merged))
    return {
      path: { leafNode, nodes },
      tree: merged,
      keys,
      commitSecret: derived.commitSecret,
      pathSecretFor: (leaf) => {
        const common = commonAncestorLevel(leafIndex, leaf)
        const index = steps.findIndex(({ node }) => node.level === common)
        return derived.secrets[index] as Secret
      },
      wipeSecrets,
    }
  } catch (error) {
    wipeSecrets()
    wipeKeys(keys)
    throw error
  }
}

/** For keys that no tree will have. */
export function wipeKeys(keys: PathOutcome['keys']): void {
  for (const { privateKey } of keys.values()) privateKey.wipe()
}

function sealPath(
  crypto: SecretSuite,
  steps: readonly PathStep[],
  derived: DerivedPath,
  added: readonly LeafIndex[],
  groupContext: GroupContext,
): Promise<UpdatePathNode[]> {
  const context = encode(GroupContext, groupContext)
  return Promise.all(
    steps.map(async (step, i): Promise<UpdatePathNode> => {
      const secret = (derived.secrets[i] as Secret).expose()
      return {
        encryptionKey: (derived.keys[i] as HpkeKeyPair).publicKey,
        encryptedPathSecret: await Promise.all(
          sealTargets(step, added).map(({ encryptionKey }) =>
            encryptWithLabel(crypto, encryptionKey as Bytes, pathLabel, context, secret),
          ),
        ),
      }
    }),
  )
}

export interface ReceivedPath {
  /** After the proposals, before the path. */
  readonly tree: PublicTree
  readonly committer: LeafIndex
  readonly path: UpdatePath
  readonly added: readonly LeafIndex[]
  readonly provisionalContext: GroupContext
}

/**
 * RFC 9420 §7.5, a receiver's side; the public half has been checked already.
 * @throws MlsError `commit-path-undecryptable`, `commit-path-key-mismatch`
 */
export async function openPath(
  crypto: SecretSuite,
  privateTree: PrivateTree,
  { tree, committer, path, added, provisionalContext }: ReceivedPath,
): Promise<PathOutcome> {
  const steps = tree.filteredDirectPath(committer)
  const index = steps.findIndex(({ copath }) => holds(copath, privateTree.leafIndex))
  const step = steps[index]
  if (step === undefined) throw undecryptable()
  const targets = sealTargets(step, added)
  const ours = targets.findIndex((node) => privateTree.keyOf(node) !== undefined)
  const target = targets[ours]
  const key = target && privateTree.keyOf(target)
  const ciphertext = path.nodes[index]?.encryptedPathSecret[ours]
  if (key === undefined || ciphertext === undefined) throw undecryptable()
  const pathSecret = new Secret(
    await decryptWithLabel(
      crypto,
      key,
      pathLabel,
      encode(GroupContext, provisionalContext),
      ciphertext,
    ).catch((cause) => {
      if (cause instanceof CryptoError) throw undecryptable(cause)
      throw cause
    }),
  )
  if (pathSecret.length !== crypto.suite.Nh) {
    pathSecret.wipe()
    throw undecryptable()
  }
  return climb(
    crypto,
    pathSecret,
    steps.slice(index),
    path.nodes.slice(index).map(({ encryptionKey }) => encryptionKey),
    'commit-path-key-mismatch',
  )
}

/**
 * RFC 9420 §12.4.3.1: a new member's keys from the path secret in its Welcome, which is wiped.
 * @throws MlsError `welcome-path-secret-wrong`
 */
export async function keysFromWelcome(
  crypto: SecretSuite,
  tree: PublicTree,
  ownLeaf: LeafIndex,
  signer: LeafIndex,
  pathSecret: Secret,
): Promise<ReadonlyMap<number, HpkeKeyPair>> {
  const common = commonAncestorLevel(ownLeaf, signer)
  const steps = tree.filteredDirectPath(signer).filter(({ node }) => node.level >= common)
  const expected = steps.map(({ node }) => node.encryptionKey)
  const usable = pathSecret.length === crypto.suite.Nh
  if (!usable || steps[0]?.node.level !== common || expected.includes(undefined)) {
    pathSecret.wipe()
    throw wrongPathSecret()
  }
  const outcome = await climb(
    crypto,
    pathSecret,
    steps,
    expected as Bytes[],
    'welcome-path-secret-wrong',
  )
  outcome.commitSecret.wipe()
  return outcome.keys
}

async function climb(
  crypto: SecretSuite,
  pathSecret: Secret,
  steps: readonly PathStep[],
  expected: readonly Bytes[],
  code: 'commit-path-key-mismatch' | 'welcome-path-secret-wrong',
): Promise<PathOutcome> {
  const { secrets, keys: pairs, commitSecret } = await derivePath(crypto, pathSecret, steps.length)
  for (const secret of secrets) secret.wipe()
  const keys = new Map(keysByLevel(steps, pairs))
  if (!pairs.every(({ publicKey }, i) => equalBytes(publicKey, expected[i] as Bytes))) {
    wipeKeys(keys)
    commitSecret.wipe()
    throw new MlsError(code, 'a path secret does not lead to the public keys')
  }
  return { keys, commitSecret }
}

function keysByLevel(
  steps: readonly PathStep[],
  keys: readonly HpkeKeyPair[],
): [number, HpkeKeyPair][] {
  return steps.map(({ node }, i) => [node.level, keys[i] as HpkeKeyPair])
}

function undecryptable(cause?: unknown): MlsError {
  return new MlsError('commit-path-undecryptable', 'no path secret opens with our keys', { cause })
}

function wrongPathSecret(): MlsError {
  return new MlsError('welcome-path-secret-wrong', 'the path secret leads to no node above us')
}
