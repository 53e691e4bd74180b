/** How long a newcomer waits to be added before it commits itself in, at least and for each present. */
const patienceMs = 3_000
const patiencePerMemberMs = 20
/** How often the group may have gone on without us while we waited. */
const maxExtensions = 3

/** What a newcomer sees of the group and of the waiting list. */
export interface Sighting {
  /** Where the log ends. */
  readonly head: number
  /** How many are connected. */
  readonly present: number
  /** How many wait longer than we do. */
  readonly position: number
}

/** For what a newcomer has waited, by what it saw when it began to. */
export interface Waited extends Sighting {
  /** How often it began anew because the log had gone on. */
  readonly extensions: number
  /** How many turns of those before it have passed. */
  readonly turns: number
}

/** How long to wait now, in milliseconds, and what that adds up to. */
export interface Wait {
  readonly waited: Waited
  readonly ms: number
}

export const nothingWaited: Waited = { head: 0, present: 0, position: 0, extensions: 0, turns: 0 }

/** Where the group has not been looked at yet. */
export function firstWait(waited: Waited): Wait {
  return waitFor({ ...waited, present: 0 })
}

/**
 * Whether a newcomer whom nobody has added waits on: as long as those before it are let in, a few
 * times where the group goes on at all, longer the more are connected, and once for each before it.
 * The first in line commits itself in, and then adds the others: if each did that for itself, their
 * commits would come before any that adds several.
 * @returns undefined where it is to commit itself in
 */
export function nextWait(waited: Waited, seen: Sighting): Wait | undefined {
  const { head, present, position } = seen
  if (position < waited.position) return waitFor({ ...waited, ...seen, turns: 0 })
  if (head > waited.head && waited.extensions < maxExtensions && present > 0) {
    return waitFor({ ...waited, head, present, extensions: waited.extensions + 1, turns: 0 })
  }
  if (present > waited.present) {
    const ms = (present - waited.present) * patiencePerMemberMs
    return { waited: { ...waited, present }, ms }
  }
  if (position > waited.turns) return waitFor({ ...waited, present, turns: waited.turns + 1 })
  return undefined
}

function waitFor(waited: Waited): Wait {
  return { waited, ms: patienceMs + waited.present * patiencePerMemberMs }
}
