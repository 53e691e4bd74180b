import { type Bytes, concatBytes, equalBytes } from '../../codec/bytes.ts'
import { decode, encodeFor, type Infer, opaque, optional, struct, uint16 } from '../../codec/tls.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { AuthenticatedContent } from '../../wire/framing.ts'
import { WireFormat } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import type { Epoch } from './epoch.ts'
import type { MadeCommit } from './makeCommit.ts'
import { checkVersion, EpochSecretsState, epochSecretsState, wellFormed } from './secretsState.ts'

/*
 * A commit that waits for the log, beside the state of the epoch in which it was made. The public
 * half of the next epoch follows from it and is not in it; nor are private keys that both epochs have.
 *
 * struct {
 *     uint16 version = 1;
 *     opaque message<V>;
 *     opaque group_info<V>;
 *     optional<opaque<V>> welcome;
 *     // of a PrivateMessage, which we cannot open ourselves
 *     optional<AuthenticatedContent> content;
 *     // of the next epoch
 *     EpochSecrets secrets;
 * } PendingCommitContent;
 *
 * struct {
 *     PendingCommitContent content;
 *     // Hash(content), Nh bytes: what is sent again is what was stored
 *     opaque digest[Nh];
 * } PendingCommitState;
 */
const version = 1

const PendingCommitContent = struct({
  version: uint16,
  message: opaque(),
  groupInfo: opaque(),
  welcome: optional(opaque()),
  content: optional(AuthenticatedContent),
  secrets: EpochSecretsState,
})
export type PendingCommitContent = Infer<typeof PendingCommitContent>

export function encodePending(
  { message, groupInfo, welcome, authenticated, next }: MadeCommit,
  previous: Epoch,
): Secret {
  const shared = new Set(Array.from(previous.privateTree.entries(), ([, key]) => key))
  const fresh = Array.from(next.privateTree.entries()).filter(([, key]) => !shared.has(key))
  const isPrivate = authenticated.wireFormat === WireFormat.privateMessage
  return new Secret(
    encodePendingContent(next.crypto, {
      version,
      message,
      groupInfo,
      welcome,
      content: isPrivate ? authenticated : undefined,
      secrets: epochSecretsState(next, fresh),
    }),
  )
}

export function encodePendingContent(crypto: SecretSuite, content: PendingCommitContent): Bytes {
  return encodeFor(PendingCommitContent, content, (encoded) =>
    concatBytes(encoded, crypto.hash(encoded)),
  )
}

/** @throws MlsError `state-malformed`, `state-version-unsupported` */
export function decodePending(crypto: SecretSuite, state: Bytes): PendingCommitContent {
  checkVersion(state, version, 'Join the group anew if its log has the commit, else commit anew.')
  const content = state.subarray(0, Math.max(0, state.length - crypto.suite.Nh))
  if (!equalBytes(crypto.hash(content), state.subarray(content.length))) {
    throw new MlsError('state-malformed', 'the stored commit is damaged')
  }
  return wellFormed(() => decode(PendingCommitContent, content))
}
