import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import {
  decode,
  encode,
  type Infer,
  opaque,
  struct,
  uint16,
  uint64,
  vector,
} from '../../codec/tls.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import { secretOpaque } from '../../crypto/secret/secretOpaque.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import { GroupContext } from '../../wire/groupContext.ts'
import { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { PublicGroup } from '../public/publicGroup.ts'
import {
  type PublicGroupState,
  StoredTree,
  TreelessGroupState,
} from '../public/publicGroupState.ts'
import { PrivateTree } from '../treekem/privateTree.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { suiteOf } from './enter.ts'
import type { Epoch, GroupEnvironment } from './epoch.ts'
import { History, type PastEpoch } from './history.ts'
import { defaultRetention } from './retention.ts'
import {
  checkVersion,
  EpochSecretsState,
  epochSecretsState,
  KeyPairState,
  MessageSecretsState,
  messagesState,
  restoreEpochSecrets,
  restoreMessages,
  wellFormed,
} from './secretsState.ts'

/*
 * A member's state. Whatever was wiped before is not in it; the signature key never is.
 *
 * struct {
 *     uint16 version = 1;
 *     TreelessGroupState group;
 *     MAC confirmation_tag;
 *     uint32 leaf_index;
 *     EpochSecrets secrets;
 *     UpdateKey updates<V>;
 *     PastEpoch past_epochs<V>;
 *     ResumptionPsk resumption_psks<V>;
 * } GroupState;
 */
const version = 1

const PastEpochState = struct({
  groupContext: GroupContext,
  tree: StoredTree,
  messages: MessageSecretsState,
  endedAt: uint64,
})
const GroupState = struct({
  version: uint16,
  group: TreelessGroupState,
  confirmationTag: opaque(),
  leafIndex: LeafIndex,
  secrets: EpochSecretsState,
  updates: vector(struct({ key: KeyPairState, signatureKey: opaque() })),
  pastEpochs: vector(PastEpochState),
  resumptionPsks: vector(struct({ epoch: uint64, psk: secretOpaque })),
})

/** What of a member is stored. */
export interface StateOptions {
  /**
   * Whether the message keys of past epochs are in it, with the trees that say who sent what. True
   * where left out.
   */
  readonly pastEpochs?: boolean
  /**
   * Whether the ratchet tree is in it; where not, it is stored apart (`PublicTree.paged`). True where
   * left out.
   */
  readonly tree?: boolean
}

export function encodeEpoch(epoch: Epoch, options: StateOptions): Secret {
  const { resumptionPsks } = epoch.history
  const pastEpochs = options.pastEpochs === false ? [] : epoch.history.pastEpochs
  const { tree, ...group } = epoch.public.state
  return new Secret(
    encode(GroupState, {
      version,
      group: { ...group, tree: options.tree === false ? undefined : tree },
      confirmationTag: epoch.confirmationTag,
      leafIndex: epoch.leafIndex,
      secrets: epochSecretsState(epoch, epoch.privateTree.entries()),
      updates: epoch.updates.map(({ key, signer }) => ({ key, signatureKey: signer.publicKey })),
      pastEpochs: pastEpochs.map(({ groupContext, tree, messages, endedAt }) => ({
        groupContext,
        tree,
        messages: messagesState(messages),
        endedAt: BigInt(Math.floor(endedAt)),
      })),
      resumptionPsks: Array.from(resumptionPsks, ([number, psk]) => ({ epoch: number, psk })),
    }),
  )
}

/**
 * @throws MlsError `state-malformed`, `state-version-unsupported`, `state-signer-mismatch`,
 *   `suite-unsupported`
 */
export function restoreEpoch(
  environment: GroupEnvironment,
  state: Bytes,
  signer: Signer,
  treeApart?: PublicTree,
): Epoch {
  checkVersion(state, version, 'Join the group anew.')
  const stored = wellFormed(() => decode(GroupState, state))
  const tree = stored.group.tree ?? treeApart
  if (tree === undefined) {
    throw new MlsError('state-malformed', 'the tree was stored apart from the state')
  }
  const group = publicGroup(environment, { ...stored.group, tree })
  const { leafIndex } = stored
  const signatureKey = group.tree.leafNode(leafIndex)?.signatureKey
  if (signatureKey === undefined || !equalBytes(signatureKey, signer.publicKey)) {
    throw new MlsError('state-signer-mismatch', 'our leaf has another signature key')
  }
  const crypto = suiteOf(environment, group.groupContext.cipherSuite)
  const { keys, ...secrets } = restoreEpochSecrets(crypto, stored.secrets)
  return {
    environment,
    crypto,
    public: group,
    leafIndex,
    signer,
    ...secrets,
    privateTree: new PrivateTree(leafIndex, keys),
    confirmationTag: stored.confirmationTag,
    // An Update that would have changed the signature key too cannot take effect without its signer.
    updates: stored.updates
      .filter((update) => equalBytes(update.signatureKey, signer.publicKey))
      .map(({ key }) => ({ key, signer })),
    history: new History(
      environment.retention ?? defaultRetention,
      stored.pastEpochs.map((past) => restorePast(crypto, past)),
      new Map(stored.resumptionPsks.map(({ epoch, psk }) => [epoch, psk])),
    ),
  }
}

function publicGroup(environment: GroupEnvironment, state: PublicGroupState): PublicGroup {
  return wellFormed(() => PublicGroup.restore(environment, state))
}

function restorePast(
  crypto: SecretSuite,
  { groupContext, tree, messages, endedAt }: Infer<typeof PastEpochState>,
): PastEpoch {
  const restored = restoreMessages(crypto, messages)
  restored.secretTree.forgetOwn()
  return { groupContext, tree, messages: restored, endedAt: Number(endedAt) }
}
