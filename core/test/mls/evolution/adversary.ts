import { type Bytes, emptyBytes, equalBytes, fromHex, toHex } from '../../../src/codec/bytes.ts'
import { encode } from '../../../src/codec/tls.ts'
import {
  decryptWithLabel,
  type HpkeKeyPair,
  Secret,
  type SecretSuite,
} from '../../../src/crypto/secret/index.ts'
import type { Epoch } from '../../../src/mls/group/epoch.ts'
import type { CommitEffect } from '../../../src/mls/group/index.ts'
import { type MessageSecrets, unprotectPrivate } from '../../../src/mls/treedem/privateMessage.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveExternalKey,
  deriveJoinerSecret,
  deriveMemberSecret,
  type EpochSecrets,
  externalInitContext,
} from '../../../src/mls/treekem/keySchedule.ts'
import { derivePath } from '../../../src/mls/treekem/pathSecrets.ts'
import { derivePskSecret, type PreSharedKeyInput } from '../../../src/mls/treekem/preSharedKeys.ts'
import type { PublicTree } from '../../../src/mls/treesync/publicTree.ts'
import {
  GroupContext,
  type PreSharedKeyId,
  type PrivateMessage,
  type UpdatePath,
} from '../../../src/wire/index.ts'
import { externalPsk, type Memory } from './people.ts'

/** How a group went from one epoch to the next, in full: more than anybody outside can see. */
export interface Passage {
  readonly epoch: bigint
  readonly path: UpdatePath | undefined
  readonly effect: CommitEffect
  /** Of the epoch that begins. */
  readonly context: GroupContext
  readonly confirmationTag: Bytes
}

/**
 * Somebody who has got hold of a member's state and computes what can be computed, without any of the
 * rules that an honest member follows: each private key is tried on each ciphertext, and what comes of
 * it as the commit secret of each epoch.
 */
export class Adversary {
  readonly #crypto: SecretSuite
  readonly #keys = new Map<string, HpkeKeyPair>()
  readonly #commitSecrets: Memory
  readonly #epochs = new Map<bigint, Pick<EpochSecrets, 'initSecret' | 'externalSecret'>>()
  readonly #resumptionPsks = new Map<bigint, Secret>()
  readonly #messages: readonly MessageSecrets[]
  /** Every secret that it holds or has derived, in hexadecimal form. */
  readonly known = new Set<string>()
  /** Epochs that it has found the way into. */
  readonly reached = new Set<bigint>()
  /** How many path secrets it has opened. */
  opened = 0

  /**
   * @param epoch a copy of the state, which is the adversary's to keep
   * @param memory what the state does not have any more, but its owner may have written down
   */
  constructor(epoch: Epoch, memory: Memory = new Set()) {
    this.#crypto = epoch.crypto
    this.#commitSecrets = new Set(memory)
    for (const [, key] of epoch.privateTree.entries()) this.#learnKey(key)
    for (const { key } of epoch.updates) this.#learnKey(key)
    const { groupContext } = epoch.public
    this.#epochs.set(groupContext.epoch, epoch.secrets)
    for (const secret of Object.values(epoch.secrets)) this.#learn(secret)
    for (const [number, psk] of epoch.history.resumptionPsks) {
      this.#resumptionPsks.set(number, psk)
      this.#learn(psk)
    }
    this.#resumptionPsks.set(groupContext.epoch, epoch.secrets.resumptionPsk)
    this.#messages = [epoch, ...epoch.history.pastEpochs].map(({ messages }) => messages)
    for (const { senderDataSecret } of this.#messages) this.#learn(senderDataSecret)
  }

  get keyCount(): number {
    return this.#keys.size
  }

  /** Tries to follow the group; whether it could. */
  async follow(passage: Passage): Promise<boolean> {
    const commitSecrets = await this.#commitSecretsOf(passage)
    const initSecret = await this.#initSecretOf(passage)
    const psks = this.#psksOf(passage.effect.proposals.preSharedKeys)
    if (initSecret === undefined || psks === undefined) return false
    return commitSecrets.some((commitSecret) =>
      this.#enter(passage, initSecret, commitSecret, psks),
    )
  }

  /** Whether any message key that it can derive opens this, whatever epoch the message claims. */
  async opens(message: PrivateMessage, tree: PublicTree): Promise<boolean> {
    for (const secrets of this.#messages) {
      const opened = await unprotectPrivate(this.#crypto, secrets, message, tree).catch(
        () => undefined,
      )
      if (opened === undefined) continue
      opened.refuse()
      return true
    }
    return false
  }

  /** Opens whatever its keys open, and climbs from there; the candidates for the commit secret. */
  async #commitSecretsOf({ path, effect }: Passage): Promise<readonly Secret[]> {
    const { Nh } = this.#crypto.suite
    if (path === undefined) return [new Secret(new Uint8Array(Nh))]
    const context = encode(GroupContext, effect.provisionalContext)
    const found: Secret[] = []
    for (const [i, { encryptedPathSecret }] of path.nodes.entries()) {
      for (const ciphertext of encryptedPathSecret) {
        for (const key of this.#keys.values()) {
          const opened = await decryptWithLabel(
            this.#crypto,
            key,
            'UpdatePathNode',
            context,
            ciphertext,
          ).catch(() => undefined)
          if (opened === undefined) continue
          this.opened++
          const first = new Secret(opened)
          const climbed = await derivePath(this.#crypto, first, path.nodes.length - i)
          for (const key of climbed.keys) this.#learnKey(key)
          found.push(climbed.commitSecret)
        }
      }
    }
    const remembered = Array.from(this.#commitSecrets, (hex) => new Secret(fromHex(hex)))
    for (const secret of found) this.#commitSecrets.add(toHex(secret.expose()))
    return [...found, ...remembered]
  }

  async #initSecretOf({ epoch, effect }: Passage): Promise<Secret | undefined> {
    const secrets = this.#epochs.get(epoch)
    const { externalInit } = effect.proposals
    if (secrets === undefined || externalInit === undefined) return secrets?.initSecret
    const key = await deriveExternalKey(this.#crypto, secrets)
    const { Nh } = this.#crypto.suite
    return this.#crypto.hpkeOpenExport(key, externalInit, emptyBytes, externalInitContext, Nh)
  }

  #psksOf(ids: readonly PreSharedKeyId[]): readonly PreSharedKeyInput[] | undefined {
    const inputs: PreSharedKeyInput[] = []
    for (const id of ids) {
      const key = 'pskEpoch' in id ? this.#resumptionPsks.get(id.pskEpoch) : externalPsk(id.pskId)
      if (key === undefined) return undefined
      inputs.push({ id, key })
    }
    return inputs
  }

  #enter(
    { context, confirmationTag: tag }: Passage,
    initSecret: Secret,
    commitSecret: Secret,
    psks: readonly PreSharedKeyInput[],
  ): boolean {
    const crypto = this.#crypto
    const joinerSecret = deriveJoinerSecret(crypto, initSecret, commitSecret, context)
    const memberSecret = deriveMemberSecret(crypto, joinerSecret, derivePskSecret(crypto, psks))
    const secrets = deriveEpochSecrets(crypto, memberSecret, context)
    const own = confirmationTag(crypto, secrets, context.confirmedTranscriptHash)
    if (!equalBytes(own, tag)) return false
    this.reached.add(context.epoch)
    this.#epochs.set(context.epoch, secrets)
    this.#resumptionPsks.set(context.epoch, secrets.resumptionPsk)
    for (const secret of Object.values(secrets)) this.#learn(secret)
    return true
  }

  #learnKey(key: HpkeKeyPair): void {
    this.#keys.set(toHex(key.privateKey.expose()), key)
    this.#learn(key.privateKey)
  }

  #learn(secret: Secret): void {
    this.known.add(toHex(secret.expose()))
  }
}
