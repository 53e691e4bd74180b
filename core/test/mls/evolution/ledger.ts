import { type Bytes, toHex, utf8 } from '../../../src/codec/bytes.ts'
import { decode } from '../../../src/codec/tls.ts'
import type { Epoch } from '../../../src/mls/group/epoch.ts'
import { defaultRetention, Group } from '../../../src/mls/group/index.ts'
import { restoreEpoch } from '../../../src/mls/group/state.ts'
import { type LeafIndex, MlsMessage } from '../../../src/wire/index.ts'
import { WireFormat } from '../../../src/wire/registry.ts'
import { Adversary, type Passage } from './adversary.ts'
import { type Member, Surprise } from './inbox.ts'
import type { Letter } from './network.ts'
import type { Person } from './people.ts'

/** A copy of all that a member holds. */
export function copyOf(group: Group, { environment, own }: Person): Epoch {
  const state = group.encodeState()
  try {
    return restoreEpoch(environment, state.expose(), own.signer)
  } finally {
    state.wipe()
  }
}

/** Who must not learn anything of certain epochs, whatever it tries. */
interface Outsider {
  readonly name: string
  readonly adversary: Adversary
  /** With the state of the adversary, but by the rules. */
  group: Group
  /** The last epoch that it may know; undefined for a thief whose victim has not healed yet. */
  until: bigint | undefined
  /** Where the victim of a thief is. */
  readonly victim?: LeafIndex
}

/** What has happened in a group: the secrets of each epoch, and everything that was sent. */
export class Ledger {
  readonly passages: Passage[] = []
  /** By their hexadecimal form, the name of each. */
  readonly #secrets = new Map<bigint, ReadonlyMap<string, string>>()
  readonly #letters: Letter[] = []
  readonly #outsiders: Outsider[] = []
  /** Bounds the time that a run takes. */
  readonly #maxOutsiders = 4

  get outsiders(): readonly Outsider[] {
    return this.#outsiders
  }

  /**
   * The epoch that a group of honest members is in. No secret of it is one of another epoch's.
   */
  begin(group: Group, person: Person): void {
    const { secrets, messages } = copyOf(group, person)
    const exported = group.exportSecret('test', utf8('context'), 32)
    const { senderDataSecret } = messages
    const named = Object.entries({ ...secrets, senderDataSecret, exported })
    const all = new Map(named.map(([name, secret]) => [toHex(secret.expose()), name]))
    for (const [epoch, others] of this.#secrets) {
      const shared = [...all.keys()].some((secret) => others.has(secret))
      if (epoch !== group.epoch && shared) {
        throw new Surprise(`epochs ${epoch} and ${group.epoch} share a secret`)
      }
    }
    this.#secrets.set(group.epoch, all)
  }

  /** Somebody has sent this, and every outsider gets to see it. */
  async sent(letter: Letter): Promise<void> {
    this.#letters.push(letter)
    for (const outsider of this.#outsiders) {
      const { name, until } = outsider
      if (until !== undefined && letter.epoch <= until) continue
      const received = await outsider.group.receive(letter.message)
      const { kind } = received
      if (until === undefined) {
        if (received.kind === 'commit') outsider.group = received.group
        continue
      }
      if (kind === 'rejected' || kind === 'future-epoch' || kind === 'past-epoch') continue
      throw new Surprise(`${name}, who had left, took ${letter.kind} as ${kind}`)
    }
  }

  async passed(passage: Passage): Promise<void> {
    this.passages.push(passage)
    for (const outsider of this.#outsiders) {
      const followed = await outsider.adversary.follow(passage)
      if (outsider.until !== undefined) continue
      if (heals(passage, outsider.victim)) outsider.until = passage.epoch
      else if (!followed) throw new Surprise(`${outsider.name} is not as able as it could be`)
    }
  }

  /** Where the victims of thieves are that have not healed yet. */
  get victims(): readonly LeafIndex[] {
    return this.#outsiders.flatMap(({ until, victim }) =>
      until === undefined && victim !== undefined ? [victim] : [],
    )
  }

  /**
   * Somebody copies all that `member` has, down to what it once computed and did not write down, and
   * listens from now on. Of what was before it opens what the member still could, and no more.
   */
  async steal(member: Member): Promise<void> {
    const { group, person } = member
    const name = `who robbed ${person.name}`
    const adversary = new Adversary(copyOf(group, person), person.memory)
    const state = group.encodeState().expose()
    const own = Group.restore(person.environment, state, person.own.signer)
    const { pastEpochs, resumptionPsks } = defaultRetention
    for (const passage of this.passages) await adversary.follow(passage)
    for (const [epoch, secrets] of this.#secrets) {
      const age = Number(group.epoch - epoch)
      for (const [secret, of] of secrets) {
        if (age === 0 || !adversary.known.has(secret)) continue
        const isKept =
          (of === 'resumptionPsk' && age <= resumptionPsks) ||
          (of === 'senderDataSecret' && age <= pastEpochs)
        if (!isKept) throw new Surprise(`${name} has ${of} of ${age} epochs before`)
      }
    }
    for (const letter of this.#letters) {
      if (letter.kind !== 'application' || !(await opens(adversary, group, letter.message)))
        continue
      if (letter.from === person.name || !member.awaits(letter)) {
        throw new Surprise(`${name} opened what the member could not open any more`)
      }
    }
    const victim = group.leafIndex
    this.#outsiders.push({ name, adversary, group: own, until: undefined, victim })
  }

  /**
   * From now on a member is none, and goes on with a copy of all that it had and everything that it
   * remembers. Where it was behind, it first follows the others as it was entitled to.
   */
  async left(group: Group, person: Person, until: bigint): Promise<void> {
    if (this.#outsiders.length >= this.#maxOutsiders) return
    const adversary = new Adversary(copyOf(group, person), person.memory)
    for (const passage of this.passages) {
      if (passage.epoch < group.epoch || passage.epoch >= until) continue
      if (!(await adversary.follow(passage))) {
        throw new Surprise(`${person.name} could not follow while it was a member`)
      }
    }
    const state = group.encodeState().expose()
    const own = Group.restore(person.environment, state, person.own.signer)
    this.#outsiders.push({ name: person.name, adversary, group: own, until })
  }

  /** A newcomer tries to learn of what was before it. */
  async entered(group: Group, person: Person): Promise<void> {
    const adversary = new Adversary(copyOf(group, person))
    const before = ({ epoch }: { readonly epoch: bigint }) => epoch < group.epoch
    for (const passage of this.passages.filter(before).slice(-4)) await adversary.follow(passage)
    if (adversary.opened > 0) throw new Surprise(`${person.name} opened a path secret of the past`)
    this.#expectIgnorant(person.name, adversary, (epoch) => epoch < group.epoch)
    for (const letter of this.#letters.filter(before).slice(-4)) {
      const { kind } = await group.receive(letter.message)
      if (kind !== 'past-epoch') {
        throw new Surprise(`${person.name}, who was not there yet, took it as ${kind}`)
      }
      if (await opens(adversary, group, letter.message)) {
        throw new Surprise(`${person.name} opened a message of the past`)
      }
    }
  }

  /** Nobody has found a way to where it does not belong. */
  async check(group: Group): Promise<void> {
    for (const { name, adversary, until, group: own } of this.#outsiders) {
      if (until === undefined) continue
      if (own.epoch > until) throw new Surprise(`${name} went on by the rules`)
      this.#expectIgnorant(name, adversary, (epoch) => epoch > until)
      const since = this.#letters.filter(({ epoch }) => epoch > until)
      for (const { message } of since.slice(-2)) {
        if (await opens(adversary, group, message)) {
          throw new Surprise(`${name} opened a message of a later epoch`)
        }
      }
    }
  }

  #expectIgnorant(name: string, adversary: Adversary, forbidden: (epoch: bigint) => boolean): void {
    for (const epoch of adversary.reached) {
      if (forbidden(epoch)) throw new Surprise(`${name} got into epoch ${epoch}`)
    }
    for (const [epoch, secrets] of this.#secrets) {
      if (!forbidden(epoch)) continue
      for (const [secret, of] of secrets) {
        if (adversary.known.has(secret)) throw new Surprise(`${name} has ${of} of epoch ${epoch}`)
      }
    }
  }
}

function opens(adversary: Adversary, group: Group, message: Bytes): Promise<boolean> {
  const decoded = decode(MlsMessage, message)
  return decoded.wireFormat === WireFormat.privateMessage
    ? adversary.opens(decoded.privateMessage, group.public.tree)
    : Promise.resolve(false)
}

/** Whether a commit shuts out who has the state that the member at `victim` had before. */
function heals({ path, effect }: Passage, victim: LeafIndex | undefined): boolean {
  const { committer, updates } = effect.proposals
  return (
    (committer === victim && path !== undefined) ||
    updates.some(({ leafIndex }) => leafIndex === victim) ||
    effect.removed.some((leafIndex) => leafIndex === victim)
  )
}
