import { type Bytes, type Codec, encode, fromHex } from '@conclave/core/codec'
import {
  CommitEnvelope,
  packEntries,
  packJoiners,
  unpackEntries,
  unpackJoiners,
} from '@conclave/core/delivery'
import { ConclaveMeeting, ConclaveMember } from '@conclave/core/meeting'
import fc from 'fast-check'
import { ApplicationFraming } from '../../../src/mls/application/applicationFraming.ts'
import { SafeAadItem } from '../../../src/mls/application/safeAad.ts'
import { ComponentData } from '../../../src/mls/public/appDataDictionary.ts'
import { readVectorFile } from '../../vectorFiles.ts'
import { opaque, uint8, uint16, uint64 } from '../arbitraries.ts'
import { type MessageName, type MessageVector, messagesNamed } from '../messageVectors.ts'
import { structNamed } from '../structs.ts'
import type { Decoder, Decoders } from './decoder.ts'

/** Beyond this, in bytes, a sample only makes runs slower. */
const longestSample = 4000
const samplesMade = 150

/** Everything that is decoded from what a peer or a server sent. */
export const decoders: Decoders = {
  MLSMessage: wireDecoder('MLSMessage', () =>
    messages(
      'mls_welcome',
      'mls_group_info',
      'mls_key_package',
      'public_message_application',
      'public_message_proposal',
      'public_message_commit',
      'private_message',
    ),
  ),
  PublicMessage: wireDecoder('PublicMessage', () =>
    bodies(messages('public_message_proposal', 'public_message_commit')),
  ),
  PrivateMessage: wireDecoder('PrivateMessage', () => bodies(messages('private_message'))),
  Welcome: wireDecoder('Welcome', () => bodies(messages('mls_welcome'))),
  GroupInfo: wireDecoder('GroupInfo', () => bodies(messages('mls_group_info'))),
  KeyPackage: wireDecoder('KeyPackage', () => bodies(messages('mls_key_package'))),
  GroupSecrets: wireDecoder('GroupSecrets', () => messages('group_secrets')),
  RatchetTree: wireDecoder('RatchetTree', () => [...messages('ratchet_tree'), ...trees()]),
  Commit: wireDecoder('Commit', () => messages('commit')),
  UpdatePath: wireDecoder('UpdatePath', paths),
  // A proposal's own type goes before the bodies that the vectors have.
  Proposal: wireDecoder('Proposal', () => [
    ...proposals(1, 'add_proposal'),
    ...proposals(2, 'update_proposal'),
    ...proposals(3, 'remove_proposal'),
    ...proposals(4, 'pre_shared_key_proposal'),
    ...proposals(5, 're_init_proposal'),
    ...proposals(6, 'external_init_proposal'),
    ...proposals(7, 'group_context_extensions_proposal'),
  ]),
  LeafNode: wireDecoder('LeafNode', () => messages('update_proposal')),
  Credential: wireDecoder('Credential'),
  PreSharedKeyID: wireDecoder('PreSharedKeyID'),
  GroupContext: wireDecoder('GroupContext'),
  AuthenticatedContent: wireDecoder('AuthenticatedContent'),
  SenderData: wireDecoder('SenderData'),
  ...Object.fromEntries(
    [
      'PrivateMessageContent with application data',
      'PrivateMessageContent with a proposal',
      'PrivateMessageContent with a commit',
    ].map((name) => [name, wireDecoder(name)]),
  ),
  RequiredCapabilities: wireDecoder('RequiredCapabilities'),
  ExternalSenders: wireDecoder('ExternalSenders'),
  ExternalPub: wireDecoder('ExternalPub'),

  ComponentData: made(ComponentData, fc.record({ componentId: uint16, data: opaque })),
  SafeAADItem: made(SafeAadItem, fc.record({ componentId: uint16, aadItemData: opaque })),
  ApplicationFraming: made(
    ApplicationFraming,
    fc.record({
      mediaType: fc.record({
        type: opaque,
        parameters: fc.array(fc.record({ parameterName: opaque, parameterValue: opaque }), {
          maxLength: 3,
        }),
      }),
      innerApplicationContent: opaque,
    }),
  ),

  ConclaveMeeting: made(
    ConclaveMeeting,
    fc.record({
      meetingId: opaque,
      sframeCipherSuite: uint16,
      epochBits: uint8,
      leafBits: uint8,
      admissionPolicy: fc.constantFrom(1 as const, 2 as const, 3 as const),
      admissionKeys: fc.array(opaque, { maxLength: 3 }),
      rootFingerprints: fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 3 }),
      locked: fc.constantFrom(0 as const, 1 as const),
      revoked: fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 3 }),
    }),
  ),
  ConclaveMember: made(
    ConclaveMember,
    fc.record({
      deviceKey: opaque,
      deviceSignature: opaque,
      ticket: fc.option(
        fc.record({
          ticketId: fc.uint8Array({ maxLength: 64 }),
          meetingId: opaque,
          identity: opaque,
          deviceKey: opaque,
          role: uint8,
          expiresAt: uint64,
          issuer: opaque,
          signature: opaque,
        }),
        { nil: undefined },
      ),
    }),
  ),
  CommitEnvelope: made(CommitEnvelope, fc.record({ seenSeq: uint64 })),
  'log entries': made(
    packed(unpackEntries, packEntries),
    fc.array(fc.record({ seq: fc.maxSafeNat(), message: opaque }), { maxLength: 5 }),
  ),
  'waiting joiners': made(
    packed(unpackJoiners, packJoiners),
    fc.array(fc.record({ ref: opaque, keyPackage: opaque }), { maxLength: 5 }),
  ),
}

/** A struct of RFC 9420, with encodings of other implementations and ones that are made up. */
function wireDecoder(name: string, others: () => readonly Bytes[] = () => []): Decoder {
  const { codec, values } = structNamed(name)
  const { samples } = made(codec, values)
  return { codec, samples: () => [...samples(), ...others().filter(isShort)] }
}

function made<T>(codec: Codec<T>, values: fc.Arbitrary<T>): Decoder {
  const samples = () =>
    fc
      .sample(values, { numRuns: samplesMade, seed: 1 })
      .map((value) => encode(codec, value))
      .filter(isShort)
  return { codec, samples }
}

function isShort({ length }: Bytes): boolean {
  return length < longestSample
}

/** A codec over functions that read and write a whole message. */
function packed<T>(unpack: (bytes: Bytes) => T, pack: (value: T) => Bytes): Codec<T> {
  return {
    write: (value, to) => to.raw(pack(value)),
    read: (from) => unpack(from.raw(from.remaining)),
  }
}

const parsed = new Map<string, readonly unknown[]>()

function vectors<T>(name: string): readonly T[] {
  if (!parsed.has(name)) parsed.set(name, JSON.parse(readVectorFile(name).text ?? '[]'))
  return parsed.get(name) as readonly T[]
}

function messages(...names: readonly MessageName[]): readonly Bytes[] {
  return messagesNamed(vectors<MessageVector>('mls/messages.json'), ...names)
}

/** The bodies of MLSMessages: what follows the version and the wire format. */
function bodies(whole: readonly Bytes[]): readonly Bytes[] {
  return whole.map((message) => message.subarray(4))
}

function proposals(type: number, name: MessageName): readonly Bytes[] {
  return messages(name).map((body) => Uint8Array.of(0, type, ...body))
}

function trees(): readonly Bytes[] {
  const all = vectors<{ readonly tree: string }>('mls/tree-validation.json')
  return all.map(({ tree }) => fromHex(tree))
}

function paths(): readonly Bytes[] {
  const all = vectors<{ readonly update_paths: readonly { readonly update_path: string }[] }>(
    'mls/treekem.json',
  )
  return all.flatMap(({ update_paths }) =>
    update_paths.map(({ update_path }) => fromHex(update_path)),
  )
}
