import { type Bytes, utf8 } from '../../core/src/codec/bytes.ts'
import { encode } from '../../core/src/codec/tls.ts'
import type { SignedBytes } from '../../core/src/crypto/public/index.ts'
import { signContent } from '../../core/src/crypto/public/verifyWithLabel.ts'
import { keyPackageLabel } from '../../core/src/mls/public/keyPackage.ts'
import { leafNodeLabel, leafNodeTbs } from '../../core/src/mls/treesync/leafNode.ts'
import { GroupContext, type KeyPackage, KeyPackageTbs } from '../../core/src/wire/index.ts'
import { expectDone } from './benchError.ts'
import type { KemKey, Primitives, Sealed } from './floorPrimitives.ts'
import {
  type Contestant,
  type Entrant,
  floor,
  type Operation,
  pooledFloor,
  type Trial,
} from './operations.ts'
import { type PathShape, pathShapes } from './shapes.ts'
import type { World } from './world.ts'

/**
 * The least cryptography with which each operation can be done at all, for a member that keeps
 * nothing but keys: signatures, HPKE, key pairs, key derivation, MACs and AEAD, with the platform's
 * fastest functions and nothing in between. A signature key is imported where it is met for the
 * first time; those of members are known from joining. Left out: hashes of trees and transcripts,
 * encodings, every other check. `docs/benchmarks.md` lists the operations.
 */
export function floorOver<S, V, K extends KemKey>(primitives: Primitives<S, V, K>): Contestant {
  return { name: floor, enter: async (world) => (await Floor.in(world, primitives)).entrant() }
}

/** The same with signatures verified on the pool's threads, where there are many of them. */
export function pooledFloorOver<S, V, K extends KemKey>(
  primitives: Primitives<S, V, K>,
): Contestant {
  return {
    name: pooledFloor,
    enter: async (world) => (await Floor.in(world, primitives)).pooledEntrant(),
  }
}

const protections = 20
const derivations = 100
const secret = new Uint8Array(32).fill(7)
const nonce = new Uint8Array(12).fill(7)
const aeadKey = new Uint8Array(16).fill(7)

/** What everybody has before an operation begins. */
interface Keys<S, V, K> {
  readonly alice: S
  readonly alicePublic: V
  readonly bob: K
  /** To Bob's key, of the length of a path secret and of GroupSecrets. */
  readonly sealed: Sealed
  readonly sealedGroupInfo: Uint8Array
  readonly groupInfoSignature: Uint8Array
}

class Floor<S, V, K extends KemKey> {
  readonly #world: World
  readonly #primitives: Primitives<S, V, K>
  readonly #keys: Keys<S, V, K>
  readonly #shapes: ReturnType<typeof pathShapes>
  readonly #context: Bytes
  readonly #leaves: readonly (readonly SignedBytes[])[]

  private constructor(world: World, primitives: Primitives<S, V, K>, keys: Keys<S, V, K>) {
    this.#world = world
    this.#primitives = primitives
    this.#keys = keys
    this.#shapes = pathShapes(world)
    this.#context = encode(GroupContext, world.groupContext)
    const { groupId } = world.groupContext
    this.#leaves = world.tree.members().map(({ leafNode, leafIndex }) => [
      {
        publicKey: leafNode.signatureKey,
        message: signContent(leafNodeLabel, leafNodeTbs(leafNode, { groupId, leafIndex })),
        signature: leafNode.signature,
      },
    ])
  }

  static async in<S, V, K extends KemKey>(
    world: World,
    primitives: Primitives<S, V, K>,
  ): Promise<Floor<S, V, K>> {
    const context = encode(GroupContext, world.groupContext)
    const alice = await primitives.signatureKey(world.alice.signatureKey)
    const bob = await primitives.deriveKeyPair(secret)
    return new Floor(world, primitives, {
      alice,
      alicePublic: await primitives.verificationKey(world.alice.signer.publicKey),
      bob,
      sealed: await primitives.hpkeSeal(bob.publicKey, context, secret),
      sealedGroupInfo: await primitives.aeadSeal(aeadKey, nonce, emptySource, world.groupInfo),
      groupInfoSignature: await primitives.sign(alice, world.groupInfo),
    })
  }

  entrant(): Entrant {
    const { update, remove, add } = this.#shapes
    const { carol } = this.#world
    const carolsKeyPackage = [carol.bundle.keyPackage]
    return entrantOf({
      ...this.#verifyingMany(),
      'update.create': this.#creating(update, []),
      'update.process': this.#processing(update, []),
      'add.create': this.#creating(undefined, carolsKeyPackage),
      'add.process': this.#processing(undefined, carolsKeyPackage),
      'add.path.create': this.#creating(add, carolsKeyPackage),
      'add.path.process': this.#processing(add, carolsKeyPackage),
      'remove.create': this.#creating(remove, []),
      'remove.process': this.#processing(remove, []),
      exporter: repeated(derivations, () => this.#derive(2)),
      protect: repeated(protections, () => this.#protect()),
      unprotect: this.#unprotecting(),
    })
  }

  pooledEntrant(): Entrant {
    return entrantOf(this.#verifyingMany())
  }

  #verifyingMany(): Partial<Record<Operation, Trial>> {
    return {
      join: single(() => this.#besideLeaves(() => this.#enterByWelcome())),
      'external.join': single(() => this.#besideLeaves(() => this.#enterByCommit())),
      'bulk-add.create': this.#creating(undefined, this.#world.crowd),
    }
  }

  /** Verifies all leaves while it does the rest. */
  async #besideLeaves(rest: () => Promise<boolean>): Promise<boolean> {
    const verified = this.#primitives.verifyAll(this.#leaves)
    const valid = await rest()
    return (await verified) && valid
  }

  #creating(shape: PathShape | undefined, added: readonly KeyPackage[]): Trial {
    const signed = added.map(signaturesOf)
    return single(async () => {
      const verified = this.#primitives.verifyAll(signed)
      await this.#commit(shape, added)
      return verified
    })
  }

  #processing(shape: PathShape | undefined, added: readonly KeyPackage[]): Trial {
    const { mac, sign, verify, verifyAll } = this.#primitives
    const { alice, alicePublic } = this.#keys
    const signed = added.map(signaturesOf)
    const commit = new Uint8Array(200 + (shape?.nodes ?? 0) * 40 + (shape?.seals ?? 0) * 90)
    return {
      ...validity,
      prepare: async () => {
        const signature = await sign(alice, commit)
        return async () => {
          const verified = [verify(alicePublic, commit, signature), verifyAll(signed)]
          mac(secret, commit)
          if (shape !== undefined) {
            // The path's leaf, under the key that signed the commit.
            verified.push(verify(alicePublic, commit, signature))
            await this.#openPath(shape)
          }
          this.#schedule()
          return (await Promise.all(verified)).every(Boolean)
        }
      },
    }
  }

  /** RFC 9420 §12.4.3.1, all but the leaves. */
  async #enterByWelcome(): Promise<boolean> {
    const { hpkeOpen, extract, aeadOpen } = this.#primitives
    const { bob, sealed, sealedGroupInfo } = this.#keys
    await hpkeOpen(bob, this.#context, sealed)
    extract(secret, secret)
    this.#derive(3)
    await aeadOpen(aeadKey, nonce, emptySource, sealedGroupInfo)
    const verified = this.#verifyGroupInfo()
    this.#epochSecrets()
    await this.#climb(this.#shapes.welcome.known)
    return verified
  }

  /** §12.4.3.2, all but the leaves. */
  async #enterByCommit(): Promise<boolean> {
    const verified = this.#verifyGroupInfo()
    const { bob } = this.#keys
    await this.#primitives.hpkeSealExport(bob.publicKey, utf8('MLS 1.0 external init secret'))
    await this.#commit(this.#shapes.external, [])
    return verified
  }

  /** §12.4.1 after the proposals were judged. */
  async #commit(shape: PathShape | undefined, added: readonly KeyPackage[]): Promise<void> {
    const { mac, sign, aeadSeal } = this.#primitives
    const { alice, bob } = this.#keys
    if (shape !== undefined) {
      // Besides those of the path's nodes its leaf has a new key.
      await Promise.all([this.#climb(shape.nodes), this.#primitives.deriveKeyPair(secret)])
      await this.#sealAll(Array.from({ length: shape.seals }, () => bob.publicKey))
      await sign(alice, this.#context)
    }
    await sign(alice, this.#context)
    this.#schedule()
    mac(secret, this.#context)
    if (added.length === 0) return
    await sign(alice, this.#world.groupInfo)
    this.#derive(3)
    await aeadSeal(aeadKey, nonce, emptySource, this.#world.groupInfo)
    await this.#sealAll(added.map(({ initKey }) => initKey))
  }

  async #sealAll(publicKeys: readonly Uint8Array[]): Promise<void> {
    const { hpkeSeal } = this.#primitives
    await Promise.all(publicKeys.map((publicKey) => hpkeSeal(publicKey, this.#context, secret)))
  }

  async #openPath({ known }: PathShape): Promise<void> {
    await this.#primitives.hpkeOpen(this.#keys.bob, this.#context, this.#keys.sealed)
    await this.#climb(known)
  }

  /** §7.4: for each node its key pair and the secret above. */
  async #climb(nodes: number): Promise<void> {
    const derived: unknown[] = []
    for (let i = 0; i < nodes; i++) {
      this.#derive(2)
      derived.push(this.#primitives.deriveKeyPair(secret))
    }
    await Promise.all(derived)
  }

  /** §8: joiner_secret, what lies between, and the epoch's secrets. */
  #schedule(): void {
    const { extract } = this.#primitives
    extract(secret, secret)
    this.#derive(1)
    extract(secret, secret)
    this.#epochSecrets()
  }

  #epochSecrets(): void {
    this.#derive(1 + 9)
    this.#primitives.mac(secret, secret)
  }

  #derive(times: number): boolean {
    for (let i = 0; i < times; i++) this.#primitives.expand(secret, this.#context)
    return true
  }

  async #verifyGroupInfo(): Promise<boolean> {
    const { alicePublic, groupInfoSignature } = this.#keys
    return this.#primitives.verify(alicePublic, this.#world.groupInfo, groupInfoSignature)
  }

  /** §6.3: one step of the ratchet, the content and the sender's data. */
  async #protect(): Promise<boolean> {
    const { sign, aeadSeal } = this.#primitives
    await sign(this.#keys.alice, this.#context)
    this.#derive(5)
    await aeadSeal(aeadKey, nonce, secret, content)
    await aeadSeal(aeadKey, nonce, secret, senderData)
    return true
  }

  #unprotecting(): Trial {
    const { sign, verify, aeadSeal, aeadOpen } = this.#primitives
    return {
      ...validity,
      repetitions: protections,
      prepare: async () => {
        const sealedContent = await aeadSeal(aeadKey, nonce, secret, content)
        const sealedSender = await aeadSeal(aeadKey, nonce, secret, senderData)
        const signature = await sign(this.#keys.alice, this.#context)
        return times(protections, async () => {
          await aeadOpen(aeadKey, nonce, secret, sealedSender)
          this.#derive(5)
          await aeadOpen(aeadKey, nonce, secret, sealedContent)
          return verify(this.#keys.alicePublic, this.#context, signature)
        })
      },
    }
  }
}

const emptySource = new Uint8Array(0)
/** A hundred bytes with their signature. */
const content = new Uint8Array(100 + 2 + 64 + 2)
const senderData = new Uint8Array(12)

type Run = () => boolean | Promise<boolean>

const validity: Pick<Trial, 'check'> = {
  check: (valid) => expectDone(valid === true, 'a signature of the floor does not verify'),
}

function single(run: Run): Trial {
  return { ...validity, prepare: async () => run }
}

function repeated(repetitions: number, run: Run): Trial {
  return { ...single(times(repetitions, run)), repetitions }
}

function times(repetitions: number, run: Run): Run {
  return async () => {
    let valid = true
    for (let i = 0; i < repetitions; i++) {
      const result = run()
      valid = (typeof result === 'boolean' ? result : await result) && valid
    }
    return valid
  }
}

function entrantOf(trials: Partial<Record<Operation, Trial>>): Entrant {
  return { trials, sizes: {} }
}

/** Both of a KeyPackage's signatures are made with one key. */
function signaturesOf({ signature, ...content }: KeyPackage): readonly SignedBytes[] {
  const { leafNode } = content
  const publicKey = leafNode.signatureKey
  const leaf = signContent(leafNodeLabel, leafNodeTbs(leafNode))
  const whole = signContent(keyPackageLabel, encode(KeyPackageTbs, content))
  return [
    { publicKey, message: leaf, signature: leafNode.signature },
    { publicKey, message: whole, signature },
  ]
}
