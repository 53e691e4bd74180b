import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import { CodecError } from '../../codec/codecError.ts'
import {
  type Codec,
  decode,
  encode,
  type Infer,
  opaque,
  struct,
  uint8,
  uint16,
  uint64,
  vector,
} from '../../codec/tls.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import { GroupContext } from '../../wire/groupContext.ts'
import { LeafIndex, RatchetTree } from '../../wire/ratchetTree.ts'
import { SafeExporter } from '../application/safeExporter.ts'
import { MlsError } from '../mlsError.ts'
import { PublicGroup } from '../public/publicGroup.ts'
import { PublicGroupState } from '../public/publicGroupState.ts'
import type { MessageSecrets } from '../treedem/privateMessage.ts'
import { SecretTree } from '../treedem/secretTree.ts'
import { PrivateTree } from '../treekem/privateTree.ts'
import { PublicTree } from '../treesync/publicTree.ts'
import { suiteOf } from './enter.ts'
import type { Epoch, GroupEnvironment, KeptSecrets } from './epoch.ts'
import { History, type PastEpoch } from './history.ts'
import { defaultRetention } from './retention.ts'

/*
 * A member's state. Whatever was wiped before is not in it; the signature key never is.
 *
 * struct {
 *     uint16 version = 1;
 *     PublicGroupState group;
 *     MAC confirmation_tag;
 *     uint32 leaf_index;
 *     KeptSecrets secrets;
 *     MessageSecrets messages;
 *     opaque safe_exporter<V>;
 *     NodeKey keys<V>;
 *     UpdateKey updates<V>;
 *     PastEpoch past_epochs<V>;
 *     ResumptionPsk resumption_psks<V>;
 * } GroupState;
 */
const version = 1

/** Copied both ways: the codec's bytes are the state's, a Secret's are its owner's. */
const secret: Codec<Secret> = {
  write: (value, to) => opaque().write(value.expose(), to),
  read: (from) => new Secret(opaque().read(from)),
}

const secretNames = [
  'initSecret',
  'exporterSecret',
  'externalSecret',
  'confirmationKey',
  'membershipKey',
  'resumptionPsk',
  'epochAuthenticator',
] as const satisfies readonly (keyof KeptSecrets)[]

const KeptSecretsState = struct(
  Object.fromEntries(secretNames.map((name) => [name, secret])) as Record<
    (typeof secretNames)[number],
    Codec<Secret>
  >,
)
const MessageSecretsState = struct({ senderDataSecret: secret, secretTree: opaque() })
const KeyPair = struct({ privateKey: secret, publicKey: opaque() })
const PastEpochState = struct({
  groupContext: GroupContext,
  ratchetTree: RatchetTree,
  messages: MessageSecretsState,
  endedAt: uint64,
})
const GroupState = struct({
  version: uint16,
  group: PublicGroupState,
  confirmationTag: opaque(),
  leafIndex: LeafIndex,
  secrets: KeptSecretsState,
  messages: MessageSecretsState,
  safeExporter: opaque(),
  keys: vector(struct({ level: uint8, key: KeyPair })),
  updates: vector(struct({ key: KeyPair, signatureKey: opaque() })),
  pastEpochs: vector(PastEpochState),
  resumptionPsks: vector(struct({ epoch: uint64, psk: secret })),
})

export function encodeEpoch(epoch: Epoch): Secret {
  const { pastEpochs, resumptionPsks } = epoch.history
  return new Secret(
    encode(GroupState, {
      version,
      group: epoch.public.state,
      confirmationTag: epoch.confirmationTag,
      leafIndex: epoch.leafIndex,
      secrets: epoch.secrets,
      messages: messagesState(epoch.messages),
      safeExporter: epoch.safeExporter.encodeState().expose(),
      keys: Array.from(epoch.privateTree.entries(), ([level, key]) => ({ level, key })),
      updates: epoch.updates.map(({ key, signer }) => ({ key, signatureKey: signer.publicKey })),
      pastEpochs: pastEpochs.map(({ groupContext, tree, messages, endedAt }) => ({
        groupContext,
        ratchetTree: tree.toRatchetTree(),
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
export function restoreEpoch(environment: GroupEnvironment, state: Bytes, signer: Signer): Epoch {
  const stored = decodeState(state)
  const group = publicGroup(environment, stored.group)
  const { leafIndex } = stored
  const signatureKey = group.tree.leafNode(leafIndex)?.signatureKey
  if (signatureKey === undefined || !equalBytes(signatureKey, signer.publicKey)) {
    throw new MlsError('state-signer-mismatch', 'our leaf has another signature key')
  }
  const crypto = suiteOf(environment, group.groupContext.cipherSuite)
  const keys = stored.keys.map(({ level, key }): [number, HpkeKeyPair] => [level, key])
  return {
    environment,
    crypto,
    public: group,
    leafIndex,
    signer,
    secrets: stored.secrets,
    messages: restoreMessages(crypto, stored.messages),
    safeExporter: wellFormed(() => SafeExporter.restore(crypto, stored.safeExporter)),
    privateTree: new PrivateTree(leafIndex, new Map(keys)),
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

function decodeState(state: Bytes): Infer<typeof GroupState> {
  if (state.length < 2 || state[0] !== 0 || state[1] !== version) {
    throw new MlsError('state-version-unsupported', 'the state is of another version', {
      remedy: 'Join the group anew.',
    })
  }
  return wellFormed(() => decode(GroupState, state))
}

function publicGroup(environment: GroupEnvironment, state: PublicGroupState): PublicGroup {
  return wellFormed(() => PublicGroup.restore(environment, state))
}

function wellFormed<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const damaged =
      cause instanceof CodecError ||
      (cause instanceof MlsError && cause.code !== 'suite-unsupported')
    if (!damaged) throw cause
    throw new MlsError('state-malformed', 'the state cannot be read', { cause })
  }
}

function messagesState({ senderDataSecret, secretTree }: MessageSecrets) {
  return { senderDataSecret, secretTree: secretTree.encodeState().expose() }
}

function restoreMessages(
  crypto: SecretSuite,
  { senderDataSecret, secretTree }: Infer<typeof MessageSecretsState>,
): MessageSecrets {
  return wellFormed(() => ({
    senderDataSecret,
    secretTree: SecretTree.restore(crypto, secretTree),
  }))
}

function restorePast(
  crypto: SecretSuite,
  { groupContext, ratchetTree, messages, endedAt }: Infer<typeof PastEpochState>,
): PastEpoch {
  const restored = restoreMessages(crypto, messages)
  restored.secretTree.forgetOwn()
  return {
    groupContext,
    tree: wellFormed(() => PublicTree.fromRatchetTree(ratchetTree)),
    messages: restored,
    endedAt: Number(endedAt),
  }
}
