import {
  type Codec,
  CodecError,
  concatBytes,
  decode,
  encode,
  equalBytes,
  fromHex,
} from '@conclave/core/codec'
import * as wire from '@conclave/core/wire'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { describeVector } from '../vectors.ts'
import { type MessageName, type MessageVector, messagesNamed } from './messageVectors.ts'

/** One step of damage. Positions are taken modulo the length of what they are applied to. */
type Mutation =
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'delete' | 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly at: number }

const at = fc.nat()
const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(
  fc.oneof<fc.Arbitrary<Mutation>[]>(
    // Values at the edges of length headers, tags and counts.
    fc.record({
      kind: fc.constant('set'),
      at,
      byte: fc.oneof(fc.constantFrom(0, 1, 2, 3, 63, 64, 127, 128, 191, 192, 255), fc.nat(255)),
    }),
    fc.record({ kind: fc.constant('flip'), at, bit: fc.nat(7) }),
    fc.record({
      kind: fc.constant('insert'),
      at,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constantFrom('delete', 'repeat'), at, length: fc.nat(16) }),
    fc.record({ kind: fc.constant('truncate'), at }),
  ),
  { minLength: 1, maxLength: 3 },
)

function mutate(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  if (bytes.length === 0) return bytes
  const place = mutation.at % bytes.length
  const before = bytes.subarray(0, place)
  switch (mutation.kind) {
    case 'set':
      return bytes.slice().fill(mutation.byte, place, place + 1)
    case 'flip':
      return bytes.slice().fill((bytes[place] as number) ^ (1 << mutation.bit), place, place + 1)
    case 'insert':
      return concatBytes(before, mutation.bytes, bytes.subarray(place))
    case 'delete':
      return concatBytes(before, bytes.subarray(place + mutation.length))
    case 'repeat':
      return concatBytes(
        before,
        bytes.subarray(place, place + mutation.length),
        bytes.subarray(place),
      )
    case 'truncate':
      return before
  }
}

interface Decoder {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly messages: readonly Uint8Array[]
}

/** The bodies of MLSMessages: what follows the version and the wire format. */
function bodies(messages: readonly Uint8Array[]): readonly Uint8Array[] {
  return messages.map((message) => message.subarray(4))
}

function decodersOf(vectors: readonly MessageVector[]): readonly Decoder[] {
  const named = (...names: readonly MessageName[]) => messagesNamed(vectors, ...names)
  return [
    {
      name: 'MLSMessage',
      codec: wire.MlsMessage,
      messages: named(
        'mls_welcome',
        'mls_group_info',
        'mls_key_package',
        'public_message_application',
        'public_message_proposal',
        'public_message_commit',
        'private_message',
      ),
    },
    {
      name: 'PublicMessage',
      codec: wire.PublicMessage,
      messages: bodies(named('public_message_proposal', 'public_message_commit')),
    },
    {
      name: 'PrivateMessage',
      codec: wire.PrivateMessage,
      messages: bodies(named('private_message')),
    },
    { name: 'Welcome', codec: wire.Welcome, messages: bodies(named('mls_welcome')) },
    { name: 'GroupInfo', codec: wire.GroupInfo, messages: bodies(named('mls_group_info')) },
    { name: 'KeyPackage', codec: wire.KeyPackage, messages: bodies(named('mls_key_package')) },
    { name: 'GroupSecrets', codec: wire.GroupSecrets, messages: named('group_secrets') },
    { name: 'Commit', codec: wire.Commit, messages: named('commit') },
  ]
}

function expectCanonical({ codec, messages }: Decoder): void {
  let accepted = 0
  let refused = 0
  fc.assert(
    fc.property(fc.constantFrom(...messages), mutations, (message, damage) => {
      const damaged = damage.reduce(mutate, message)
      let value: unknown
      try {
        value = decode(codec, damaged)
      } catch (error) {
        if (!(error instanceof CodecError)) throw error
        expect(error.code).not.toBe('codec-unencodable')
        refused++
        return
      }
      accepted++
      expect(equalBytes(encode(codec, value), damaged)).toBe(true)
    }),
    { numRuns: 20_000 },
  )
  // Both outcomes have to occur often, or the damage is too weak or too strong to show anything.
  expect(accepted).toBeGreaterThan(500)
  expect(refused).toBeGreaterThan(500)
}

describeVector<readonly MessageVector[]>('mls/messages.json', (vectors) => {
  it.each(decodersOf(vectors))(
    'a damaged $name is a CodecError or has exactly one encoding',
    expectCanonical,
  )
})

describeVector<readonly { readonly tree: string }[]>('mls/tree-validation.json', (vectors) => {
  it('a damaged ratchet tree is a CodecError or has exactly one encoding', () => {
    const trees = vectors.map(({ tree }) => fromHex(tree)).filter(({ length }) => length < 4000)
    expectCanonical({ name: 'RatchetTree', codec: wire.RatchetTree, messages: trees })
  })
})
