import { toHex, utf8 } from '../../../src/codec/bytes.ts'
import {
  defaultRetention,
  Group,
  type PendingCommit,
  type Received,
} from '../../../src/mls/group/index.ts'
import type { VirtualClock } from '../../virtualClock.ts'
import { type Chance, type Letter, perturbed } from './network.ts'
import type { Person } from './people.ts'

/** Everything that does not go as the model says. */
export class Surprise extends Error {
  override readonly name = 'Surprise'
}

/** What the runs have met, so that a test can tell whether they show anything. */
export type Met = Map<string, number>

export function meet(met: Met, what: string): void {
  met.set(what, (met.get(what) ?? 0) + 1)
}

/**
 * A member with what the network holds for it. It knows what each message has to come to, and says so
 * where one does not.
 */
export class Member {
  readonly person: Person
  /** The epoch that it entered in, by its latest way in. */
  readonly since: bigint
  group: Group
  inbox: Letter[] = []
  /** Whether a handshake message was lost on the way to it, so that it may have to enter again. */
  missed = false
  removed = false
  /** Damaged messages whose epoch has changed, too, so that they are kept until it comes. */
  damagedKept = 0
  readonly #clock: VirtualClock
  readonly #met: Met
  readonly #opened = new Set<string>()
  readonly #endedAt = new Map<bigint, number>()
  readonly #verdicts: Map<Letter, string>

  constructor(
    person: Person,
    group: Group,
    shared: { clock: VirtualClock; met: Met; verdicts: Map<Letter, string> },
  ) {
    this.person = person
    this.group = group
    this.since = group.epoch
    this.#clock = shared.clock
    this.#met = shared.met
    this.#verdicts = shared.verdicts
  }

  get name(): string {
    return this.person.name
  }

  /** Reads everything that has come. */
  async read(chance: Chance): Promise<void> {
    for (const letter of perturbed(this.inbox.splice(0), chance)) {
      if (this.removed) return
      const expected = this.#expected(letter)
      const received = await this.group.receive(letter.message)
      if (expected !== undefined && !expected.includes(received.kind)) {
        throw new Surprise(
          `${this.name}: ${expected} was to come of ${letter.text}, not ${say(received)}`,
        )
      }
      await this.#heed(received, letter)
    }
  }

  /** The next epoch, which this member has made. */
  confirmed(group: Group): void {
    this.#advance(group)
  }

  /** Comes back from storage, having lost whatever the state does not have. */
  restore(): void {
    const { environment, own } = this.person
    const state = this.group.encodeState()
    this.group.close()
    this.group = Group.restore(environment, state.expose(), own.signer)
    state.wipe()
    this.damagedKept = 0
    meet(this.#met, 'restored')
  }

  /**
   * Comes back from storage with a commit on the way.
   * @returns the commit, and the group that it leads to for a member that did not crash
   */
  async crash(made: PendingCommit): Promise<{ pending: PendingCommit; uninterrupted: Group }> {
    const { environment, own } = this.person
    const state = this.group.encodeState().expose()
    const stored = made.encodeState().expose()
    const uninterrupted = this.group.confirm(made)
    this.group = Group.restore(environment, state, own.signer)
    this.damagedKept = 0
    meet(this.#met, 'crashed with a commit on the way')
    return { pending: await this.group.restorePending(stored), uninterrupted }
  }

  /** Whether this would still open a message, if it came now. */
  awaits(letter: Letter): boolean {
    return this.#expected(letter)?.includes('application') === true
  }

  #advance(group: Group): void {
    this.#endedAt.set(this.group.epoch, this.#clock.now())
    this.group = group
  }

  #expected({ kind, epoch, from, text }: Letter): readonly Received['kind'][] | undefined {
    if (kind !== 'application') return undefined
    if (from === this.name) return ['own', 'past-epoch']
    if (epoch < this.since) return ['past-epoch']
    if (epoch > this.group.epoch) return ['future-epoch']
    const age = this.group.epoch - epoch
    const { pastEpochs, pastEpochMs } = defaultRetention
    const waited = this.#clock.now() - (this.#endedAt.get(epoch) ?? this.#clock.now())
    if (age > BigInt(pastEpochs) || waited >= pastEpochMs) return ['past-epoch']
    return [this.#opened.has(text as string) ? 'duplicate' : 'application']
  }

  async #heed(received: Received, letter?: Letter): Promise<void> {
    meet(this.#met, `received ${received.kind}`)
    switch (received.kind) {
      case 'application':
        return this.#hear(received)
      case 'proposal':
        return this.#judge(letter, 'accepted')
      case 'commit':
        this.#advance(received.group)
        return this.#readKept()
      case 'removed':
        this.removed = true
        return
      case 'rejected':
        meet(this.#met, `rejected ${received.error.code}`)
        if (letter?.kind === 'proposal') return this.#judge(letter, received.error.code)
        if (letter === undefined && received.error.code.startsWith('proposal-')) return
        if (letter === undefined && this.damagedKept > 0) {
          this.damagedKept -= 1
          return
        }
        if (!this.missed) throw new Surprise(`${this.name}: ${say(received)}`)
        return
      case 'future-epoch':
        if (!received.kept) throw new Surprise(`${this.name} has no room for the next epoch`)
        return
      default:
        return
    }
  }

  async #readKept(): Promise<void> {
    const { group } = this
    for (;;) {
      const received = await group.receiveKept()
      if (received === undefined) return
      meet(this.#met, 'kept for its epoch')
      await this.#heed(received)
      // What is left is for the group that has taken this one's place.
      if (this.group !== group || this.removed) return
    }
  }

  #hear({ data, leafNode }: Extract<Received, { kind: 'application' }>): void {
    const text = new TextDecoder().decode(data)
    const { credential } = leafNode
    const sender = 'identity' in credential ? toHex(credential.identity) : ''
    if (sender !== toHex(utf8(text.split(' ')[0] as string))) {
      throw new Surprise(`${text} came from another`)
    }
    if (this.#opened.has(text)) throw new Surprise(`${this.name} opened ${text} twice`)
    this.#opened.add(text)
  }

  /** Nobody remembers a proposal that another member has refused. */
  #judge(letter: Letter | undefined, verdict: string): void {
    if (letter === undefined || this.missed) return
    const other = this.#verdicts.get(letter) ?? verdict
    if (other !== verdict) throw new Surprise(`a proposal is ${other} and ${verdict}`)
    this.#verdicts.set(letter, verdict)
  }
}

function say(received: Received): string {
  return 'error' in received ? `${received.kind} (${received.error.code})` : received.kind
}
