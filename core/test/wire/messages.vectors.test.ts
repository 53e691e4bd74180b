import { type Codec, decode, encode, fromHex, toHex } from '@conclave/core/codec'
import {
  Commit,
  ContentType,
  MlsMessage,
  PlacedLeafNodeTbs,
  RatchetTree,
  UnplacedLeafNodeTbs,
  UpdatePath,
  WireFormat,
} from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { describeVector } from '../vectors.ts'
import { codecOf, type MessageVector, messageNames } from './messageVectors.ts'

/** A value that was read may be written by the bytes that it was read from, its copy is not. */
function encodedAnew<T>(codec: Codec<T>, value: T) {
  return encode(codec, structuredClone(value))
}

describeVector<readonly MessageVector[]>('mls/messages.json', (vectors) => {
  it('has 300 objects with every struct', () => {
    expect(vectors).toHaveLength(300)
    for (const vector of vectors) {
      expect(Object.keys(vector).toSorted()).toEqual(messageNames.toSorted())
    }
  })

  it.each(messageNames)('every %s decodes and re-encodes to its bytes', (name) => {
    const codec = codecOf(name)
    for (const vector of vectors) {
      expect(toHex(encodedAnew(codec, decode(codec, fromHex(vector[name]))))).toBe(vector[name])
    }
  })

  it('names the body of every MLSMessage by its wire format and content type', () => {
    for (const vector of vectors) {
      const read = (hex: string) => decode(MlsMessage, fromHex(hex))
      expect(read(vector.mls_welcome).wireFormat).toBe(WireFormat.welcome)
      expect(read(vector.mls_group_info).wireFormat).toBe(WireFormat.groupInfo)
      expect(read(vector.mls_key_package).wireFormat).toBe(WireFormat.keyPackage)
      expect(read(vector.private_message).wireFormat).toBe(WireFormat.privateMessage)
      const contents = { contentType: ContentType.application, applicationData: expect.anything() }
      expect(read(vector.public_message_application)).toMatchObject({
        publicMessage: { content: contents },
      })
      expect(read(vector.public_message_proposal)).toMatchObject({
        publicMessage: { content: { contentType: ContentType.proposal } },
      })
      expect(read(vector.public_message_commit)).toMatchObject({
        publicMessage: {
          content: { contentType: ContentType.commit },
          auth: { confirmationTag: expect.anything() },
        },
      })
    }
  })

  it.each(messageNames)('every proper prefix of a %s is truncated', (name) => {
    const codec = codecOf(name)
    for (const vector of [vectors[0], vectors[149], vectors[299]] as const) {
      const whole = fromHex((vector as MessageVector)[name])
      for (let length = 0; length < whole.length; length++) {
        expect(() => decode(codec, whole.subarray(0, length))).toThrow(
          expect.objectContaining({ name: 'CodecError', code: 'codec-truncated' }),
        )
      }
    }
  })

  it.each(messageNames)('a %s with another byte after it is refused', (name) => {
    for (const vector of vectors) {
      for (const more of ['00', '01', 'ff']) {
        expect(() => decode(codecOf(name), fromHex(vector[name] + more))).toThrow(
          expect.objectContaining({ name: 'CodecError', code: 'codec-trailing-bytes' }),
        )
      }
    }
  })
})

describeVector<readonly { readonly tree: string }[]>('mls/tree-validation.json', (vectors) => {
  it('every ratchet tree, of up to 67 nodes, re-encodes to its bytes', () => {
    for (const { tree } of vectors) {
      expect(toHex(encode(RatchetTree, decode(RatchetTree, fromHex(tree))))).toBe(tree)
    }
  })
})

interface TreeKemVector {
  readonly update_paths: readonly { readonly update_path: string }[]
}
describeVector<readonly TreeKemVector[]>('mls/treekem.json', (vectors) => {
  it('every UpdatePath re-encodes to its bytes', () => {
    const paths = vectors.flatMap((vector) => vector.update_paths)
    expect(paths.length).toBeGreaterThan(0)
    for (const { update_path } of paths) {
      expect(toHex(encode(UpdatePath, decode(UpdatePath, fromHex(update_path))))).toBe(update_path)
    }
  })

  it('a leaf in the tree is signed with its place, which a KeyPackage has not', () => {
    const hex = vectors[0]?.update_paths[0]?.update_path as string
    const { leafNode } = decode(UpdatePath, fromHex(hex))
    const unplaced = toHex(encode(UnplacedLeafNodeTbs, leafNode))
    const placed = encode(PlacedLeafNodeTbs, {
      ...leafNode,
      groupId: fromHex('0102'),
      leafIndex: 3 as never,
    })
    expect(toHex(placed)).toBe(`${unplaced}02010200000003`)
    expect(hex.startsWith(unplaced)).toBe(true)
  })
})

interface PassiveVector {
  readonly epochs: readonly { readonly proposals: readonly string[]; readonly commit: string }[]
}
describeVector<readonly PassiveVector[]>('mls/passive-client-handling-commit.json', (vectors) => {
  it("every proposal and commit of a group's history re-encodes to its bytes", () => {
    const messages = vectors.flatMap(({ epochs }) =>
      epochs.flatMap(({ proposals, commit }) => [...proposals, commit]),
    )
    expect(messages.length).toBeGreaterThan(0)
    for (const message of messages) {
      expect(toHex(encodedAnew(MlsMessage, decode(MlsMessage, fromHex(message))))).toBe(message)
    }
  })
})

describe('an MLSMessage', () => {
  it.each(['0000', '0002', '0100', 'ffff'])('of version %s is refused', (version) => {
    expect(() => decode(MlsMessage, fromHex(`${version}0005`))).toThrow(
      expect.objectContaining({ name: 'CodecError', code: 'codec-unknown-case' }),
    )
  })

  it.each(['0000', '0006', '0a0a', 'f000', 'ffff'])('of wire format %s is refused', (format) => {
    expect(() => decode(MlsMessage, fromHex(`0001${format}`))).toThrow(
      expect.objectContaining({ name: 'CodecError', code: 'codec-unknown-case' }),
    )
  })

  it.each([0, 4, 255])('of content type %i is refused, public and private alike', (type) => {
    const contentType = type.toString(16).padStart(2, '0')
    const publicMessage = `00010001${'00'}${'00'.repeat(8)}${'0100000000'}${'00'}${contentType}`
    const privateMessage = `00010002${'00'}${'00'.repeat(8)}${contentType}${'000000'}`
    for (const message of [publicMessage, privateMessage]) {
      expect(() => decode(MlsMessage, fromHex(message))).toThrow(
        expect.objectContaining({ name: 'CodecError', code: 'codec-unknown-case' }),
      )
    }
  })
})

describe('a Commit', () => {
  it('without proposals and without a path is two bytes', () => {
    expect(toHex(encode(Commit, { proposals: [], path: undefined }))).toBe('0000')
  })

  it('may refer to a SelfRemove proposal, which has no body', () => {
    const commit = { proposals: [{ type: 1, proposal: { proposalType: 10 } }], path: undefined }
    expect(decode(Commit, fromHex('0301000a00'))).toEqual(commit)
  })
})
