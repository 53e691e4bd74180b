import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, toHex } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { Secret, type SecretSuite } from '../../src/crypto/secret/index.ts'
import type { RatchetLimits } from '../../src/mls/treedem/ratchet.ts'
import { type RatchetType, SecretTree } from '../../src/mls/treedem/secretTree.ts'
import { type SecretTreeState, secretTreeState } from '../../src/mls/treedem/secretTreeState.ts'
import { contains, leafAt } from './privateGroup.ts'
import { refusal } from './refusals.ts'
import { suite } from './testCrypto.ts'

const { Nh } = suite().suite
const rootSecret = () => new Secret(new Uint8Array(Nh).fill(1))
const [own, other, third] = [leafAt(0), leafAt(5), leafAt(2)]
const last = 2 ** 32 - 1

function treeFor(
  ownLeaf = own,
  { leafCount = 8, limits, crypto = suite() }: TreeOptions = {},
): SecretTree {
  return SecretTree.create(crypto, rootSecret(), { leafCount, ownLeaf }, limits)
}
interface TreeOptions {
  leafCount?: number
  limits?: RatchetLimits
  crypto?: SecretSuite
}

function stateOf(tree: SecretTree): Bytes {
  return tree.encodeState().expose()
}

/** `tree` as it would be if `change` had happened to its stored state. */
function changed(state: Bytes, change: (state: SecretTreeState) => SecretTreeState): Bytes {
  const codec = secretTreeState(suite().suite)
  return encode(codec, change(decode(codec, state)))
}

function keyOf(tree: SecretTree, leaf = other, type: RatchetType = 'application', generation = 0) {
  const opening = tree.open(leaf, type, generation)
  const hex = toHex(opening.key.key.expose())
  opening.accept()
  return hex
}

/** A provider that keeps a copy of every secret derived, and counts the derivations. */
function recording(): { crypto: SecretSuite; derived: Bytes[] } {
  const derived: Bytes[] = []
  const plain = suite()
  const expand = (key: Uint8Array, info: Uint8Array, length: number) => {
    const bytes = plain.expand(key, info, length)
    derived.push(bytes.slice())
    return bytes
  }
  return { crypto: { ...plain, expand }, derived }
}

describe('what is consumed is gone from the state', () => {
  it('after opening: the way down the tree, the ratchet so far and the key', () => {
    const { crypto, derived } = recording()
    const tree = treeFor(own, { crypto })
    const opening = tree.open(other, 'application', 2)
    // Three splits; two ratchets; key, nonce and secret of generations 0, 1 and 2.
    expect(derived.length).toBe(3 * 2 + 2 + 3 * 3)
    opening.accept()
    const state = stateOf(tree)
    expect(contains(state, rootSecret().expose())).toBe(false)
    const left = derived.filter((bytes) => contains(state, bytes))
    // Three siblings of the way, the handshake ratchet, keys and nonces of 0 and 1, one secret.
    expect(left.length).toBe(3 + 1 + 2 * 2 + 1)
    keyOf(tree, other, 'application', 0)
    keyOf(tree, other, 'application', 1)
    const afterwards = stateOf(tree)
    expect(left.filter((bytes) => contains(afterwards, bytes)).length).toBe(3 + 1 + 1)
  })

  it('after sending: the way down the tree and every key, also of other generations', () => {
    const { crypto, derived } = recording()
    const tree = treeFor(own, { crypto })
    for (let i = 0; i < 4; i++) tree.next('handshake')
    const state = stateOf(tree)
    expect(contains(state, rootSecret().expose())).toBe(false)
    expect(derived.filter((bytes) => contains(state, bytes)).length).toBe(3 + 1 + 1)
  })

  it('in memory too: what was derived for a refused message, or by one that lost a race', () => {
    const handedOut: Bytes[] = []
    const plain = suite()
    const crypto: SecretSuite = {
      ...plain,
      expand: (key, info, length) => {
        const bytes = plain.expand(key, info, length)
        handedOut.push(bytes)
        return bytes
      },
    }
    const alive = () => handedOut.filter((bytes) => bytes.some((byte) => byte !== 0))
    const tree = treeFor(own, { crypto })
    tree.open(other, 'application', 9).refuse()
    expect(() => tree.open(other, 'application', 2000)).toThrow()
    expect(handedOut.length).toBeGreaterThan(40)
    expect(alive()).toEqual([])
    const openings = [3, 0, 3, 1].map((generation) => tree.open(other, 'application', generation))
    openings[0]?.accept()
    openings[1]?.accept()
    expect(() => openings[2]?.accept()).toThrow(refusal('message-key-consumed'))
    openings[3]?.refuse()
    const ahead = [5, 8].map((generation) => tree.open(other, 'application', generation))
    for (const opening of ahead) opening.accept()
    const state = stateOf(tree)
    for (const bytes of alive()) expect(contains(state, bytes)).toBe(true)
    tree.wipe()
    expect(alive()).toEqual([])
  })

  it('after a wipe, which leaves nothing to send or open, not even what is under way', () => {
    const tree = treeFor()
    keyOf(tree, third)
    const [known, unknown] = [tree.open(third, 'handshake', 0), tree.open(other, 'handshake', 0)]
    tree.wipe()
    for (const opening of [known, unknown]) {
      expect(() => opening.accept()).toThrow(refusal('message-key-consumed'))
    }
    expect(() => tree.next('application')).toThrow(refusal('secret-tree-exhausted'))
    for (const leaf of [third, other]) {
      expect(() => tree.open(leaf, 'handshake', 0)).toThrow(refusal('message-key-consumed'))
    }
    expect(decode(secretTreeState(suite().suite), stateOf(tree))).toMatchObject({
      nodes: [],
      leaves: [],
    })
  })
})

describe('our own leaf', () => {
  it('opens nothing and sends what others open', () => {
    const [sender, receiver] = [treeFor(own), treeFor(other)]
    expect(() => sender.open(own, 'application', 0)).toThrow(refusal('message-own'))
    for (let generation = 0; generation < 3; generation++) {
      const key = sender.next('application')
      expect(keyOf(receiver, own, 'application', generation)).toBe(toHex(key.key.expose()))
    }
  })

  it.each(['before', 'after'])('that is forgotten %s sending only opens', (when) => {
    const [sender, receiver] = [treeFor(own), treeFor(other)]
    const { crypto, derived } = recording()
    const tree = treeFor(own, { crypto })
    if (when === 'after') {
      tree.next('application')
      sender.next('application')
    }
    tree.forgetOwn()
    tree.forgetOwn()
    expect(() => tree.next('application')).toThrow(refusal('secret-tree-exhausted'))
    expect(() => tree.next('handshake')).toThrow(refusal('secret-tree-exhausted'))
    const next = sender.next('application').key.expose()
    const state = stateOf(tree)
    // Where nothing was sent nothing has been derived, and what could be is never used.
    const left = when === 'before' ? 0 : 3
    expect(derived.filter((bytes) => contains(state, bytes)).length).toBe(left)
    expect(contains(state, next)).toBe(false)
    const restored = SecretTree.restore(suite(), state)
    restored.forgetOwn()
    expect(() => restored.next('handshake')).toThrow(refusal('secret-tree-exhausted'))
    expect(keyOf(tree)).toBe(toHex(receiver.next('application').key.expose()))
  })
})

describe('the limits', () => {
  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 20 + 1])('are not %d', (limit) => {
    for (const limits of [
      { maxForwardGenerations: limit, maxKeptKeys: 0 },
      { maxForwardGenerations: 0, maxKeptKeys: limit },
    ]) {
      expect(() => treeFor(own, { limits })).toThrow(refusal('secret-tree-limits-invalid'))
      const state = stateOf(treeFor())
      expect(() => SecretTree.restore(suite(), state, limits)).toThrow(
        refusal('secret-tree-limits-invalid'),
      )
    }
  })

  it('of zero allow messages in order only', () => {
    const tree = treeFor(own, { limits: { maxForwardGenerations: 0, maxKeptKeys: 0 } })
    expect(() => tree.open(other, 'application', 1)).toThrow(refusal('message-generation-too-far'))
    for (let generation = 0; generation < 3; generation++) {
      keyOf(tree, other, 'application', generation)
    }
    expect(() => tree.open(other, 'application', 2)).toThrow(refusal('message-key-consumed'))
  })

  it('bound what one message costs and what is kept for a sender', () => {
    const { crypto, derived } = recording()
    const limits = { maxForwardGenerations: 100, maxKeptKeys: 10 }
    const tree = treeFor(own, { crypto, limits })
    keyOf(tree)
    derived.length = 0
    expect(() => tree.open(other, 'application', 102)).toThrow(
      refusal('message-generation-too-far'),
    )
    expect(derived.length).toBe(0)
    keyOf(tree, other, 'application', 101)
    expect(derived.length).toBe(101 + 2 * 11)
    const size = stateOf(tree).length
    for (let generation = 202; generation < 2000; generation += 101) {
      keyOf(tree, other, 'application', generation)
    }
    expect(stateOf(tree).length).toBe(size)
  })

  it('that became smaller drop the oldest keys of a stored tree', () => {
    const tree = treeFor()
    keyOf(tree, other, 'application', 8)
    const limits = { maxForwardGenerations: 4, maxKeptKeys: 2 }
    const restored = SecretTree.restore(suite(), stateOf(tree), limits)
    expect(() => restored.open(other, 'application', 5)).toThrow(refusal('message-key-consumed'))
    for (const generation of [6, 7, 13]) keyOf(restored, other, 'application', generation)
  })

  it.each([2, 64, 4096])('of %i leaves leave a known sender at the same cost', (leafCount) => {
    const { crypto, derived } = recording()
    const tree = treeFor(own, { crypto, leafCount })
    keyOf(tree, leafAt(1))
    expect(derived.length).toBe(2 * Math.log2(leafCount) + 2 + 3)
    derived.length = 0
    keyOf(tree, leafAt(1), 'application', 1)
    expect(derived.length).toBe(3)
  })

  it('include the last generation that can be counted, for sending and for opening', () => {
    const start = treeFor()
    start.next('application')
    keyOf(start)
    const state = changed(stateOf(start), (stored) => ({
      ...stored,
      leaves: stored.leaves.map((leaf) => ({
        ...leaf,
        application: {
          ...leaf.application,
          head: { generation: last - 1, secret: new Secret(new Uint8Array(Nh)) },
        },
      })),
    }))
    const tree = SecretTree.restore(suite(), state)
    expect([tree.next('application'), tree.next('application')]).toMatchObject([
      { generation: last - 1 },
      { generation: last },
    ])
    expect(() => tree.next('application')).toThrow(refusal('secret-tree-exhausted'))
    keyOf(tree, other, 'application', last)
    keyOf(tree, other, 'application', last - 1)
    for (const generation of [last, last - 1, 0]) {
      expect(() => tree.open(other, 'application', generation)).toThrow(
        refusal('message-key-consumed'),
      )
    }
    const restored = SecretTree.restore(suite(), stateOf(tree))
    expect(() => restored.next('application')).toThrow(refusal('secret-tree-exhausted'))
    expect(restored.next('handshake').generation).toBe(0)
  })
})

describe('the stored state', () => {
  function used(): SecretTree {
    const tree = treeFor()
    tree.next('handshake')
    keyOf(tree, other, 'application', 3)
    keyOf(tree, leafAt(1))
    return tree
  }

  it('gives the same keys as the tree that was stored, and is stored the same again', () => {
    const [tree, state] = [used(), stateOf(used())]
    expect(stateOf(tree)).toEqual(state)
    const restored = SecretTree.restore(suite(), state)
    expect(restored.ownLeaf).toBe(own)
    expect(stateOf(restored)).toEqual(state)
    for (const [leaf, type, generation] of [
      [other, 'application', 1],
      [other, 'application', 4],
      [other, 'handshake', 0],
      [third, 'application', 2],
      [leafAt(7), 'handshake', 1],
    ] as const) {
      expect(keyOf(restored, leaf, type, generation)).toBe(keyOf(tree, leaf, type, generation))
    }
    for (const type of ['handshake', 'application'] as const) {
      expect(toHex(restored.next(type).key.expose())).toBe(toHex(tree.next(type).key.expose()))
    }
    expect(stateOf(restored)).toEqual(stateOf(tree))
    expect(() => restored.open(other, 'application', 3)).toThrow(refusal('message-key-consumed'))
  })

  it('does not depend on the order in which the leaves spoke', () => {
    const [one, another] = [treeFor(), treeFor()]
    for (const leaf of [other, third]) keyOf(one, leaf)
    for (const leaf of [third, other]) keyOf(another, leaf)
    expect(stateOf(one)).toEqual(stateOf(another))
  })

  const secret = () => new Secret(new Uint8Array(Nh))
  const key = (generation: number) => ({
    generation,
    key: new Secret(new Uint8Array(16)),
    nonce: new Secret(new Uint8Array(12)),
  })
  const withKept = (...kept: SecretTreeState['leaves'][number]['application']['kept']) =>
    function change(state: SecretTreeState): SecretTreeState {
      return {
        ...state,
        leaves: state.leaves.map((leaf) => ({
          ...leaf,
          application: { ...leaf.application, kept },
        })),
      }
    }
  const withNode = (node: number) => (state: SecretTreeState) => ({
    ...state,
    nodes: [...state.nodes, { node: node as never, secret: secret() }].toSorted(
      (a, b) => a.node - b.node,
    ),
  })

  it.each<[string, (state: SecretTreeState) => SecretTreeState]>([
    ['a leaf count of 0', (state) => ({ ...state, leafCount: 0 })],
    ['a leaf count that is no power of two', (state) => ({ ...state, leafCount: 6 })],
    ['a leaf count beyond all trees', (state) => ({ ...state, leafCount: 2 ** 31 })],
    ['a tree too small for its leaves', (state) => ({ ...state, leafCount: 4 })],
    ['our leaf beyond the tree', (state) => ({ ...state, ownLeaf: leafAt(8) })],
    ['a node above one that it has', withNode(11)],
    ['a node above a leaf that has ratchets', withNode(1)],
    ['the node of a leaf that has ratchets', withNode(10)],
    ['a node beyond the tree', withNode(15)],
    ['nodes out of order', (state) => ({ ...state, nodes: state.nodes.toReversed() })],
    ['leaves out of order', (state) => ({ ...state, leaves: state.leaves.toReversed() })],
    ['a leaf twice', (state) => ({ ...state, leaves: state.leaves.flatMap((l) => [l, l]) })],
    ['kept keys out of order', withKept(key(1), key(0))],
    ['a kept key twice', withKept(key(0), key(0))],
    ['a kept key that the ratchet still gives', withKept(key(9))],
  ])('with %s is refused', (_, change) => {
    expect(() => SecretTree.restore(suite(), changed(stateOf(used()), change))).toThrow(
      refusal('state-malformed'),
    )
  })

  it('that is cut or continued is refused', () => {
    const state = stateOf(used())
    for (let length = 0; length < state.length; length += 7) {
      expect(() => SecretTree.restore(suite(), state.slice(0, length))).toThrow(
        refusal('codec-truncated'),
      )
    }
    expect(() => SecretTree.restore(suite(), concatBytes(state, new Uint8Array(1)))).toThrow(
      refusal('codec-trailing-bytes'),
    )
  })
})

it('a leaf beyond the tree has no keys', () => {
  const tree = treeFor()
  const state = stateOf(tree)
  for (const leaf of [8, 2 ** 31, last]) {
    expect(() => tree.open(leafAt(leaf), 'application', 0)).toThrow(
      refusal('message-sender-unknown'),
    )
  }
  expect(stateOf(tree)).toEqual(state)
})
