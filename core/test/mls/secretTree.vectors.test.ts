import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { deriveSenderDataKey } from '../../src/mls/treedem/privateMessage.ts'
import type { KeyAndNonce } from '../../src/mls/treedem/ratchet.ts'
import { type RatchetType, SecretTree } from '../../src/mls/treedem/secretTree.ts'
import type { LeafIndex } from '../../src/wire/index.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface SecretTreeVector {
  cipher_suite: number
  encryption_secret: string
  sender_data: { sender_data_secret: string; ciphertext: string; key: string; nonce: string }
  leaves: {
    generation: number
    handshake_key: string
    handshake_nonce: string
    application_key: string
    application_nonce: string
  }[][]
}

const hexOf = ({ key, nonce }: KeyAndNonce) => [toHex(key.expose()), toHex(nonce.expose())]

describeVector<SecretTreeVector[]>('mls/secret-tree.json', (vectors) => {
  const ratchetTypes = ['handshake', 'application'] as const
  const entriesOf = (vector: SecretTreeVector, type: RatchetType) =>
    vector.leaves.flatMap((entries, index) =>
      entries.map((entry) => ({
        leaf: index as LeafIndex,
        generation: entry.generation,
        expected: [entry[`${type}_key`], entry[`${type}_nonce`]],
      })),
    )
  const treeOf = (vector: SecretTreeVector, ownLeaf: LeafIndex) =>
    SecretTree.create(suite(vector.cipher_suite), new Secret(fromHex(vector.encryption_secret)), {
      leafCount: vector.leaves.length,
      ownLeaf,
    })

  it.each(implemented(vectors))(
    'suite $cipher_suite: every member sends with the keys of %#',
    (vector) => {
      for (const type of ratchetTypes) {
        for (const { leaf, generation, expected } of entriesOf(vector, type)) {
          const tree = treeOf(vector, leaf)
          for (let sent = 0; sent < generation; sent++) tree.next(type)
          const key = tree.next(type)
          expect(key.generation).toBe(generation)
          expect(hexOf(key)).toEqual(expected)
        }
      }
    },
  )

  it.each(implemented(vectors))(
    'suite $cipher_suite: one member receives with the keys of %#',
    (vector) => {
      for (const own of [0, vector.leaves.length - 1] as LeafIndex[]) {
        const tree = treeOf(vector, own)
        for (const type of ratchetTypes) {
          for (const { leaf, generation, expected } of entriesOf(vector, type)) {
            if (leaf === own) continue
            const opening = tree.open(leaf, type, generation)
            expect(hexOf(opening.key)).toEqual(expected)
            opening.accept()
          }
        }
      }
    },
  )

  it.each(implemented(vectors))(
    'suite $cipher_suite: the sender data of %# has its key',
    (vector) => {
      const { sender_data_secret, ciphertext, key, nonce } = vector.sender_data
      const secret = new Secret(fromHex(sender_data_secret))
      const derived = deriveSenderDataKey(suite(vector.cipher_suite), secret, fromHex(ciphertext))
      expect(hexOf(derived)).toEqual([key, nonce])
    },
  )
})
