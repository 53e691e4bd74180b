import type { Chance } from './chance.ts'

/** What goes wrong by itself, all the time: probabilities for each message or call. */
export interface Weather {
  /** A message is late by up to three seconds. */
  readonly late: number
  /** A request arrives twice. */
  readonly twice: number
  /** A request is answered, and the answer is lost. */
  readonly answerLost: number
  /** One instance's news do not reach another. */
  readonly newsLost: number
  /** A call of the store takes a few milliseconds, in which others act. */
  readonly storeSlow: number
}

export const calm: Weather = { late: 0, twice: 0, answerLost: 0, newsLost: 0, storeSlow: 0 }

/** Many runs have fair weather, so that their actions' faults are seen alone. */
export function weatherOf(chance: Chance): Weather {
  if (chance.happens(0.4)) return { ...calm, storeSlow: chance.pick([0, 0.3]) }
  const some = (most: number) => (chance.happens(0.6) ? chance.between(0, most) : 0)
  return {
    late: some(0.15),
    twice: some(0.2),
    answerLost: some(0.05),
    newsLost: some(0.5),
    storeSlow: some(0.5),
  }
}
