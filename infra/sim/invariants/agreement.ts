import { type Bytes, toHex, utf8 } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import type { Life } from '../people/life.ts'
import type { InstalledKey } from '../people/recordedCryptor.ts'
import { Violation } from '../violation.ts'
import type { LoggedVoid, LogHistory } from './logHistory.ts'

interface EpochFacts {
  readonly authenticator: string
  readonly treeHash: string
  readonly exported: string
  readonly roster: string
}

interface Witness {
  readonly life: Life
  readonly leaf: number
  readonly facts: EpochFacts
}

const noBytes: Bytes = new Uint8Array()

/** What members say of the epochs that they have been in. */
export class Agreement {
  readonly #history: LogHistory
  /** By group, epoch and transcript. */
  readonly #epochs = new Map<string, Witness[]>()
  /** By group and epoch, the transcripts. */
  readonly #branches = new Map<string, Set<string>>()
  /** Whose an encryption key is. */
  readonly #leafKeys = new Map<string, string>()
  readonly #baseKeys = new Map<string, string>()
  readonly #frameKeys = new Map<string, object>()
  #newest = 0n

  constructor(history: LogHistory) {
    this.#history = history
  }

  /** How many epochs there were, and the number of the newest. */
  get figures(): { readonly epochs: number; readonly newest: number } {
    return { epochs: this.#branches.size, newest: Number(this.#newest) }
  }

  /** @throws Violation `epoch-disagreement`, `epoch-twofold`, `encryption-key-reused` */
  observe(life: Life, group: Group): void {
    const { groupContext } = group
    const name = `${toHex(group.groupId)} ${group.epoch}`
    const transcript = toHex(groupContext.confirmedTranscriptHash)
    if (group.epoch > this.#newest) this.#newest = group.epoch
    const branches = this.#branches.get(name) ?? new Set()
    this.#branches.set(name, branches.add(transcript))
    if (branches.size > this.#history.mostBeginnings(group.groupId, group.epoch)) {
      throw new Violation('epoch-twofold', `${life.name} is in another epoch ${group.epoch}`)
    }
    this.#checkOwnKey(life, group)
    const facts = factsOf(group)
    const witnesses = this.#epochs.get(`${name} ${transcript}`) ?? []
    this.#epochs.set(`${name} ${transcript}`, witnesses)
    const [first] = witnesses
    witnesses.push({ life, leaf: group.leafIndex, facts })
    if (first === undefined) return
    for (const [fact, value] of Object.entries(facts)) {
      if (first.facts[fact as keyof EpochFacts] === value) continue
      const who = `${first.life.name} and ${life.name}`
      throw new Violation('epoch-disagreement', `${who}: ${fact} of epoch ${group.epoch}`)
    }
  }

  /** A leaf's encryption key is that leaf's alone, whatever its owner has been through. */
  #checkOwnKey(life: Life, group: Group): void {
    const own = group.members.find(({ leafIndex }) => leafIndex === group.leafIndex)
    const key = toHex(own?.leafNode.encryptionKey ?? noBytes)
    const place = `leaf ${group.leafIndex} of ${toHex(group.groupId)}`
    const known = this.#leafKeys.get(key) ?? place
    this.#leafKeys.set(key, known)
    if (known === place) return
    throw new Violation('encryption-key-reused', `${life.name} at ${place} has the key of ${known}`)
  }

  /**
   * A frame cryptor counts from 0 under this key.
   * @throws Violation `frame-key-reused`, `frame-key-of-another-epoch`
   */
  installed(cryptor: object, { epoch, baseKey, ownLeaf, incarnation }: InstalledKey): void {
    const known = this.#baseKeys.get(baseKey)
    if (known !== undefined && known !== String(epoch)) {
      throw new Violation(
        'frame-key-of-another-epoch',
        `the key of epoch ${known} is installed as that of epoch ${epoch}`,
      )
    }
    this.#baseKeys.set(baseKey, String(epoch))
    const context = `${baseKey} ${ownLeaf} ${incarnation}`
    const user = this.#frameKeys.get(context)
    if (user !== undefined) {
      const again = user === cryptor ? 'twice by one cryptor' : 'by two cryptors'
      throw new Violation(
        'frame-key-reused',
        `leaf ${ownLeaf} uses incarnation ${incarnation} of epoch ${epoch} ${again}`,
      )
    }
    this.#frameKeys.set(context, cryptor)
  }

  /**
   * A commit that is undone was applied by none of those who were asked.
   * @throws Violation `void-of-applied-commit`
   */
  checkVoid({ groupId, commit, present }: LoggedVoid): void {
    for (const [name, witnesses] of this.#epochs) {
      if (!name.startsWith(`${groupId} ${commit.epoch + 1} `)) continue
      const applied = witnesses.find(
        ({ leaf }) => leaf !== commit.committer && present.includes(leaf),
      )
      if (applied === undefined) continue
      throw new Violation('void-of-applied-commit', `${applied.life.name} had applied it`)
    }
  }
}

function factsOf(group: Group): EpochFacts {
  const exported = group.exportSecret('conclave simulator', utf8('agreement'), 16)
  const facts = {
    authenticator: toHex(group.epochAuthenticator),
    treeHash: toHex(group.groupContext.treeHash),
    exported: toHex(exported.expose()),
    roster: group.members
      .map(({ leafIndex, leafNode }) => `${leafIndex}:${toHex(leafNode.signatureKey ?? noBytes)}`)
      .join(' '),
  }
  exported.wipe()
  return facts
}
