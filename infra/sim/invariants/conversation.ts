import type { Group } from '@conclave/core/mls/group'
import type { Life } from '../people/life.ts'
import { Violation } from '../violation.ts'

interface Said {
  readonly by: Life
  /** How often its speaker had entered the group when it was passed on: each time is a new run. */
  run: number | undefined
}

interface Heard {
  readonly said: Said
  /** How many the listener was told that it lacks, since the speaker's one before. */
  readonly missed: number
}

/** What people have said to each other, and what has become of it with each of those who listen. */
export class Conversation {
  readonly #said = new Map<string, Said>()
  readonly #entered = new Map<Life, number>()
  /** By listener and speaker, in the order of the hearing. */
  readonly #heard = new Map<Life, Map<Life, Heard[]>>()
  readonly #texts = new Map<Life, Set<string>>()
  /** By listener and leaf, until the speaker's next is heard. */
  readonly #missed = new Map<Life, Map<number, number>>()
  #count = 0

  /** Something new to say. */
  textOf(by: Life): string {
    const text = `${by.name} says ${this.#count++}`
    this.#said.set(text, { by, run: undefined })
    return text
  }

  /** It was passed on. */
  passed(text: string): void {
    const said = this.#said.get(text)
    if (said !== undefined) said.run = this.#entered.get(said.by)
  }

  entered(life: Life): void {
    this.#entered.set(life, (this.#entered.get(life) ?? 0) + 1)
  }

  missed(life: Life, leaf: number, count: number): void {
    const missed = of(this.#missed, life, () => new Map<number, number>())
    missed.set(leaf, (missed.get(leaf) ?? 0) + count)
  }

  /**
   * @param group the one that the listener's application knows of
   * @throws Violation `message-forged`, `message-twice`, `message-of-nobody`,
   */
  heard(life: Life, group: Group | undefined, leaf: number, text: string): void {
    const said = this.#said.get(text)
    if (said === undefined || said.by === life) {
      throw new Violation('message-forged', `${life.name} hears '${text}' at leaf ${leaf}`)
    }
    const speaker = group?.members.find(({ leafIndex }) => leafIndex === leaf)
    if (speaker === undefined) {
      throw new Violation('message-of-nobody', `${life.name} hears '${text}' at no member's leaf`)
    }
    const { credential } = speaker.leafNode
    const name = 'identity' in credential ? new TextDecoder().decode(credential.identity) : ''
    if (name !== said.by.identity) {
      throw new Violation('message-forged', `${life.name} hears '${text}' from ${name}`)
    }
    const texts = of(this.#texts, life, () => new Set<string>())
    if (texts.has(text)) throw new Violation('message-twice', `${life.name} hears '${text}' again`)
    texts.add(text)
    const missing = this.#missed.get(life)
    const missed = missing?.get(leaf) ?? 0
    missing?.delete(leaf)
    const speakers = of(this.#heard, life, () => new Map<Life, Heard[]>())
    of(speakers, said.by, () => []).push({ said, missed })
  }

  /**
   * Of what was passed on between two that are heard, each listener has heard it or was told that
   * something is missing (RFC 9750 §8.1.4).
   * @throws Violation `gap-unreported`,
   */
  checkAll(): void {
    const order = [...this.#said.values()]
    for (const [life, speakers] of this.#heard) {
      for (const [speaker, heard] of speakers) {
        for (const [i, { said, missed }] of heard.entries()) {
          const before = heard[i - 1]?.said
          if (before === undefined || before.run !== said.run || said.run === undefined) continue
          const [from, to] = [order.indexOf(before), order.indexOf(said)]
          if (to < from) throw new Violation('messages-reordered', `${life.name}: ${speaker.name}`)
          const passed = order
            .slice(from + 1, to)
            .filter(({ by, run }) => by === speaker && run === said.run).length
          if (missed >= passed) continue
          const detail = `${life.name} lacks ${passed} of ${speaker.name}'s and knows of ${missed}`
          throw new Violation('gap-unreported', detail)
        }
      }
    }
  }
}

function of<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key) ?? make()
  map.set(key, known)
  return known
}
