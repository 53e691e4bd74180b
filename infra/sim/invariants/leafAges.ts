import { toHex } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import type { Life } from '../people/life.ts'
import { Violation } from '../violation.ts'

/**
 * A member's own keys are renewed within ten minutes (DESIGN §4), or as soon after that as it can:
 * faults of the network and the keyserver last less than so much longer, in milliseconds.
 */
const oldestMs = 12 * 60_000
/** Whoever has slept for longer than this renews them when it wakes, and may take so long, too. */
const longSleepMs = 60_000
const afterSleepMs = 2 * 60_000

/** How old the keys of each member's own leaf are. */
export class LeafAges {
  readonly #keys = new Map<Life, { readonly key: string; readonly since: number }>()

  epochBegan(life: Life, group: Group, now: number): void {
    const own = group.members.find(({ leafIndex }) => leafIndex === group.leafIndex)
    const key = toHex(own?.leafNode.encryptionKey ?? new Uint8Array())
    if (this.#keys.get(life)?.key !== key) this.#keys.set(life, { key, since: now })
  }

  gone(life: Life): void {
    this.#keys.delete(life)
  }

  /** @throws Violation `leaf-too-old`, `not-healed-after-sleep` */
  check(now: number): void {
    for (const [life, { since }] of this.#keys) {
      const { from, until } = life.lastSleep
      if (!life.isIn || now < until) continue
      if (now - Math.max(since, until) > oldestMs) {
        const minutes = Math.round((now - since) / 60_000)
        throw new Violation('leaf-too-old', `${life.name} has had its keys for ${minutes} minutes`)
      }
      const hasHealed = since > from || until - from <= longSleepMs
      if (hasHealed || now - until <= afterSleepMs) continue
      throw new Violation('not-healed-after-sleep', `${life.name} has the keys that it slept with`)
    }
  }
}
