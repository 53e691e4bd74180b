import type { KeyObject } from 'node:crypto'
import { type Bytes, utf8 } from '../../core/src/codec/bytes.ts'
import { encode } from '../../core/src/codec/tls.ts'
import type { SignedBytes } from '../../core/src/crypto/public/index.ts'
import { signContent } from '../../core/src/crypto/public/verifyWithLabel.ts'
import { keyPackageLabel } from '../../core/src/mls/public/keyPackage.ts'
import { leafNodeLabel, leafNodeTbs } from '../../core/src/mls/treesync/leafNode.ts'
import { GroupContext, type KeyPackage, KeyPackageTbs } from '../../core/src/wire/index.ts'
import { expectDone } from './benchError.ts'
import {
  type Contestant,
  type Entrant,
  floor as floorName,
  type Operation,
  pooledFloor as pooledFloorName,
  type Trial,
} from './operations.ts'
import * as primitives from './primitives.ts'
import { type PathShape, pathShapes } from './shapes.ts'
import type { World } from './world.ts'

/**
 * The least cryptography with which each operation can be done at all, for a member that keeps
 * nothing but keys: signatures, HPKE, key pairs, key derivation, MACs and AEAD, with the platform's
 * fastest functions and nothing in between. A signature key is imported where it is met for the
 * first time; those of members are known from joining. Left out: hashes of trees and transcripts,
 * encodings, every other check. `docs/benchmarks.md` lists the operations.
 */
export const floor: Contestant = {
  name: floorName,
  enter: async (world) => new Floor(world).entrant(),
}

/** The same with signatures verified on the pool's threads, where there are many of them. */
export const pooledFloor: Contestant = {
  name: pooledFloorName,
  enter: async (world) => new Floor(world).pooledEntrant(),
}

const protections = 20
const derivations = 100
const secretLength = 32

class Floor {
  readonly #world: World
  readonly #shapes: ReturnType<typeof pathShapes>
  readonly #context: Bytes
  readonly #leaves: readonly SignedBytes[]
  readonly #alice: KeyObject
  readonly #alicePublic: KeyObject
  readonly #bob: primitives.KemKey
  /** To a key of Bob's, of the length of a path secret and of GroupSecrets. */
  readonly #sealed: primitives.Sealed
  readonly #secret = new Uint8Array(secretLength).fill(7)
  readonly #nonce = new Uint8Array(12).fill(7)
  readonly #aeadKey = new Uint8Array(16).fill(7)
  readonly #groupInfo: Bytes
  readonly #sealedGroupInfo: Uint8Array
  readonly #groupInfoSignature: Uint8Array

  constructor(world: World) {
    this.#world = world
    this.#shapes = pathShapes(world)
    this.#context = encode(GroupContext, world.groupContext)
    const { groupId } = world.groupContext
    this.#leaves = world.tree.members().map(({ leafNode, leafIndex }) => ({
      publicKey: leafNode.signatureKey,
      message: signContent(leafNodeLabel, leafNodeTbs(leafNode, { groupId, leafIndex })),
      signature: leafNode.signature,
    }))
    this.#alice = primitives.signatureKey(world.alice.signatureKey)
    this.#alicePublic = primitives.verificationKey(world.alice.signer.publicKey)
    this.#bob = primitives.deriveKeyPair(this.#secret)
    this.#sealed = primitives.hpkeSeal(this.#bob.publicKey, this.#context, this.#secret)
    this.#groupInfo = world.groupInfo
    this.#sealedGroupInfo = this.#sealGroupInfo()
    this.#groupInfoSignature = primitives.sign(this.#alice, this.#groupInfo)
  }

  entrant(): Entrant {
    const { update, remove, add } = this.#shapes
    const { carol, crowd } = this.#world
    const keyPackage = signaturesOf(carol.bundle.keyPackage)
    const processing = (shape: PathShape | undefined, added: readonly SignedBytes[]) => {
      const commit = new Uint8Array(200 + (shape?.nodes ?? 0) * 40 + (shape?.seals ?? 0) * 90)
      const signature = primitives.sign(this.#alice, commit)
      return single(() => {
        let valid = primitives.verify(this.#alicePublic, commit, signature)
        primitives.mac(this.#secret, commit)
        // The path's leaf, under the key that signed the commit.
        if (shape !== undefined) {
          valid &&= primitives.verify(this.#alicePublic, commit, signature)
          this.#openPath(shape)
        }
        if (added.length > 0) valid &&= verifyKeyPackage(added)
        this.#schedule()
        return valid
      })
    }
    const creating = (shape: PathShape | undefined, added: readonly KeyPackage[]) => {
      const signed = added.map(signaturesOf)
      return single(() => {
        const valid = signed.every(verifyKeyPackage)
        this.#commit(shape, added)
        return valid
      })
    }
    return entrantOf({
      join: single(() => {
        const valid = this.#leaves.every(verifyNew)
        return this.#enterByWelcome() && valid
      }),
      'external.join': single(() => {
        const valid = this.#leaves.every(verifyNew)
        return this.#enterByCommit() && valid
      }),
      'update.create': creating(update, []),
      'update.process': processing(update, []),
      'add.create': creating(undefined, [carol.bundle.keyPackage]),
      'add.process': processing(undefined, keyPackage),
      'add.path.create': creating(add, [carol.bundle.keyPackage]),
      'add.path.process': processing(add, keyPackage),
      'remove.create': creating(remove, []),
      'remove.process': processing(remove, []),
      'bulk-add.create': creating(undefined, crowd),
      exporter: repeated(derivations, () => this.#derive(2)),
      protect: repeated(protections, () => this.#protect()),
      unprotect: this.#unprotecting(),
    })
  }

  pooledEntrant(): Entrant {
    const { crowd } = this.#world
    const signed = crowd.map(signaturesOf)
    return entrantOf({
      join: single(async () => {
        const verified = Promise.all(this.#leaves.map(verifyNewPooled))
        return this.#enterByWelcome() && (await verified).every(Boolean)
      }),
      'external.join': single(async () => {
        const verified = Promise.all(this.#leaves.map(verifyNewPooled))
        return this.#enterByCommit() && (await verified).every(Boolean)
      }),
      'bulk-add.create': single(async () => {
        const verified = Promise.all(signed.flatMap(verifyKeyPackagePooled))
        this.#commit(undefined, crowd)
        return (await verified).every(Boolean)
      }),
    })
  }

  /** RFC 9420 §12.4.3.1, all but the leaves. */
  #enterByWelcome(): boolean {
    primitives.hpkeOpen(this.#bob, this.#context, this.#sealed)
    primitives.extract(this.#secret, this.#secret)
    this.#derive(3)
    primitives.aeadOpen(this.#aeadKey, this.#nonce, emptySource, this.#sealedGroupInfo)
    const valid = this.#verifyGroupInfo()
    this.#epochSecrets()
    this.#climb(this.#shapes.welcome.known)
    return valid
  }

  /** §12.4.3.2, all but the leaves. */
  #enterByCommit(): boolean {
    const valid = this.#verifyGroupInfo()
    primitives.hpkeSealExport(this.#bob.publicKey, utf8('MLS 1.0 external init secret'))
    this.#commit(this.#shapes.external, [])
    return valid
  }

  /** §12.4.1 after the proposals were judged. */
  #commit(shape: PathShape | undefined, added: readonly KeyPackage[]): void {
    if (shape !== undefined) {
      this.#climb(shape.nodes)
      primitives.deriveKeyPair(this.#secret)
      for (let i = 0; i < shape.seals; i++) this.#seal(this.#bob.publicKey)
      primitives.sign(this.#alice, this.#context)
    }
    primitives.sign(this.#alice, this.#context)
    this.#schedule()
    primitives.mac(this.#secret, this.#context)
    if (added.length === 0) return
    primitives.sign(this.#alice, this.#groupInfo)
    this.#derive(3)
    this.#sealGroupInfo()
    for (const { initKey } of added) this.#seal(initKey)
  }

  #seal(publicKey: Uint8Array): void {
    primitives.hpkeSeal(publicKey, this.#context, this.#secret)
  }

  #openPath({ known }: PathShape): void {
    primitives.hpkeOpen(this.#bob, this.#context, this.#sealed)
    this.#climb(known)
  }

  /** §7.4: for each node its key pair and the secret above. */
  #climb(nodes: number): void {
    for (let i = 0; i < nodes; i++) {
      this.#derive(2)
      primitives.deriveKeyPair(this.#secret)
    }
  }

  /** §8: joiner_secret, what lies between, and the epoch's secrets. */
  #schedule(): void {
    primitives.extract(this.#secret, this.#secret)
    this.#derive(1)
    primitives.extract(this.#secret, this.#secret)
    this.#epochSecrets()
  }

  #epochSecrets(): void {
    this.#derive(1 + 9)
    primitives.mac(this.#secret, this.#secret)
  }

  #derive(times: number): boolean {
    for (let i = 0; i < times; i++) primitives.expand(this.#secret, this.#context)
    return true
  }

  #sealGroupInfo(): Uint8Array {
    return primitives.aeadSeal(this.#aeadKey, this.#nonce, emptySource, this.#groupInfo)
  }

  #verifyGroupInfo(): boolean {
    return primitives.verify(this.#alicePublic, this.#groupInfo, this.#groupInfoSignature)
  }

  /** §6.3: one step of the ratchet, the content and the sender's data. */
  #protect(): boolean {
    primitives.sign(this.#alice, this.#context)
    this.#derive(5)
    primitives.aeadSeal(this.#aeadKey, this.#nonce, this.#secret, content)
    primitives.aeadSeal(this.#aeadKey, this.#nonce, this.#secret, senderData)
    return true
  }

  #unprotecting(): Trial {
    const key = this.#aeadKey
    const seal = (data: Uint8Array) => primitives.aeadSeal(key, this.#nonce, this.#secret, data)
    const open = (data: Uint8Array) => primitives.aeadOpen(key, this.#nonce, this.#secret, data)
    const [sealedContent, sealedSender] = [seal(content), seal(senderData)]
    const signature = primitives.sign(this.#alice, this.#context)
    return repeated(protections, () => {
      open(sealedSender)
      this.#derive(5)
      open(sealedContent)
      return primitives.verify(this.#alicePublic, this.#context, signature)
    })
  }
}

const emptySource = new Uint8Array(0)
/** A hundred bytes with their signature. */
const content = new Uint8Array(100 + 2 + 64 + 2)
const senderData = new Uint8Array(12)

function single(run: () => boolean | Promise<boolean>): Trial {
  return {
    prepare: async () => run,
    check: (valid) => expectDone(valid === true, 'a signature of the floor does not verify'),
  }
}

function repeated(repetitions: number, run: () => boolean): Trial {
  const all = () => {
    let valid = true
    for (let i = 0; i < repetitions; i++) valid = run() && valid
    return valid
  }
  return { ...single(all), repetitions }
}

function entrantOf(trials: Partial<Record<Operation, Trial>>): Entrant {
  return { trials, sizes: {} }
}

function verifyNew({ publicKey, message, signature }: SignedBytes): boolean {
  return primitives.verify(primitives.verificationKey(publicKey), message, signature)
}

function verifyNewPooled({ publicKey, message, signature }: SignedBytes): Promise<boolean> {
  return primitives.verifyPooled(primitives.verificationKey(publicKey), message, signature)
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

function verifyKeyPackage(signed: readonly SignedBytes[]): boolean {
  const key = keyOf(signed)
  return signed.every(({ message, signature }) => primitives.verify(key, message, signature))
}

function verifyKeyPackagePooled(signed: readonly SignedBytes[]): Promise<boolean>[] {
  const key = keyOf(signed)
  return signed.map(({ message, signature }) => primitives.verifyPooled(key, message, signature))
}

function keyOf([first]: readonly SignedBytes[]): KeyObject {
  return primitives.verificationKey((first as SignedBytes).publicKey)
}
