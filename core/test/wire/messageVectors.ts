import { type Bytes, type Codec, fromHex } from '@conclave/core/codec'
import * as wire from '@conclave/core/wire'

/** One object of messages.json: a serialised struct under each of these names. */
export const messageCodecs = {
  mls_welcome: wire.MlsMessage,
  mls_group_info: wire.MlsMessage,
  mls_key_package: wire.MlsMessage,
  ratchet_tree: wire.RatchetTree,
  group_secrets: wire.GroupSecrets,
  add_proposal: wire.Add,
  update_proposal: wire.Update,
  remove_proposal: wire.Remove,
  pre_shared_key_proposal: wire.PreSharedKey,
  re_init_proposal: wire.ReInit,
  external_init_proposal: wire.ExternalInit,
  group_context_extensions_proposal: wire.GroupContextExtensions,
  commit: wire.Commit,
  public_message_application: wire.MlsMessage,
  public_message_proposal: wire.MlsMessage,
  public_message_commit: wire.MlsMessage,
  private_message: wire.MlsMessage,
} satisfies Readonly<Record<string, Codec<unknown>>>

export type MessageName = keyof typeof messageCodecs
export type MessageVector = Readonly<Record<MessageName, string>>

export const messageNames = Object.keys(messageCodecs) as readonly MessageName[]

export function codecOf(name: MessageName): Codec<unknown> {
  return messageCodecs[name]
}

/** Encodings that other implementations made, of the structs with these names. */
export function messagesNamed(
  vectors: readonly MessageVector[],
  ...names: readonly MessageName[]
): readonly Bytes[] {
  return vectors.flatMap((vector) => names.map((name) => fromHex(vector[name])))
}
