import type { Bytes } from '../../codec/bytes.ts'
import { CodecError } from '../../codec/codecError.ts'
import { type Codec, type Infer, opaque, struct, uint8, vector } from '../../codec/tls.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import { secretOpaque } from '../../crypto/secret/secretOpaque.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { SafeExporter } from '../application/safeExporter.ts'
import { MlsError } from '../mlsError.ts'
import type { MessageSecrets } from '../treedem/privateMessage.ts'
import { SecretTree } from '../treedem/secretTree.ts'
import type { Epoch, KeptSecrets } from './epoch.ts'

/*
 * What an epoch's secrets are in a stored state. Whatever was wiped before is not in it.
 *
 * struct {
 *     KeptSecrets secrets;
 *     MessageSecrets messages;
 *     opaque safe_exporter<V>;
 *     NodeKey keys<V>;
 * } EpochSecrets;
 */

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
  Object.fromEntries(secretNames.map((name) => [name, secretOpaque])) as Record<
    (typeof secretNames)[number],
    Codec<Secret>
  >,
)
export const MessageSecretsState = struct({ senderDataSecret: secretOpaque, secretTree: opaque() })
export const KeyPairState = struct({ privateKey: secretOpaque, publicKey: opaque() })

export const EpochSecretsState = struct({
  secrets: KeptSecretsState,
  messages: MessageSecretsState,
  safeExporter: opaque(),
  keys: vector(struct({ level: uint8, key: KeyPairState })),
})

/** @param keys private keys of the ratchet tree by their level */
export function epochSecretsState(
  { secrets, messages, safeExporter }: Pick<Epoch, 'secrets' | 'messages' | 'safeExporter'>,
  keys: Iterable<[level: number, key: HpkeKeyPair]>,
): Infer<typeof EpochSecretsState> {
  return {
    secrets,
    messages: messagesState(messages),
    safeExporter: safeExporter.encodeState().expose(),
    keys: Array.from(keys, ([level, key]) => ({ level, key })),
  }
}

/** @throws MlsError `state-malformed` */
export function restoreEpochSecrets(
  crypto: SecretSuite,
  { secrets, messages, safeExporter, keys }: Infer<typeof EpochSecretsState>,
): Pick<Epoch, 'secrets' | 'messages' | 'safeExporter'> & { keys: Map<number, HpkeKeyPair> } {
  return {
    secrets,
    messages: restoreMessages(crypto, messages),
    safeExporter: wellFormed(() => SafeExporter.restore(crypto, safeExporter)),
    keys: new Map(keys.map(({ level, key }) => [level, key])),
  }
}

export function messagesState({ senderDataSecret, secretTree }: MessageSecrets) {
  return { senderDataSecret, secretTree: secretTree.encodeState().expose() }
}

/** @throws MlsError `state-malformed` */
export function restoreMessages(
  crypto: SecretSuite,
  { senderDataSecret, secretTree }: Infer<typeof MessageSecretsState>,
): MessageSecrets {
  return wellFormed(() => ({
    senderDataSecret,
    secretTree: SecretTree.restore(crypto, secretTree),
  }))
}

/** @throws MlsError `state-malformed` for whatever damage `read` finds */
export function wellFormed<T>(read: () => T): T {
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

/**
 * A stored state begins with a uint16 that says what the rest is.
 * @throws MlsError `state-version-unsupported`
 */
export function checkVersion(state: Bytes, version: number, remedy: string): void {
  if (state.length < 2 || state[0] !== 0 || state[1] !== version) {
    throw new MlsError('state-version-unsupported', 'the state is of another version', { remedy })
  }
}
