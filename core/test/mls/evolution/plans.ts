import type { Plan, ProposalKind, Round } from './steps.ts'

/** Nothing but an empty commit. */
const quiet: Round = {
  restored: [],
  chatter: [],
  proposals: [],
  way: 'member',
  by: 0,
  rivals: 0,
  crashes: false,
  inline: [],
  path: 'always',
  encrypted: false,
  lagging: [],
  loses: false,
  pause: 0,
}
export const planOf = (size: number, rounds: readonly Partial<Round>[]): Plan => ({
  seed: 1,
  size,
  rounds: rounds.map((round) => ({ ...quiet, ...round })),
  ending: 'none',
})

export const propose = (kind: ProposalKind, by: number, target = 0, encrypted = false) => ({
  kind,
  by,
  target,
  encrypted,
})

/** Removes leaf 1 by a commit of leaf 0, after everyone has been heard. */
export const removal: Partial<Round> = {
  by: 0,
  chatter: [0, 1, 2, 3],
  proposals: [propose('remove', 2, 1)],
}

/** For six members: whatever can happen to a group. */
export const everything: readonly Partial<Round>[] = [
  {
    chatter: [0, 1, 2, 3, 4, 5],
    proposals: [propose('add', 1), propose('update', 3), propose('external-psk', 4, 1, true)],
    by: 2,
    rivals: 2,
    crashes: true,
    restored: [3],
  },
  {
    chatter: [0, 1, 2, 3, 4, 5],
    proposals: [propose('custom', 1), propose('extensions', 2), propose('invalid', 0)],
    by: 1,
    lagging: [5],
  },
  { way: 'external', lagging: [5] },
  { proposals: [propose('remove', 1, 3), propose('self-remove', 2)], by: 0 },
  { way: 'resync', by: 1, pause: 61_000 },
  { inline: [{ kind: 'custom', target: 0 }], path: 'if-required', by: 1 },
  { proposals: [propose('update', 1), propose('newcomer', 0)], lagging: [4], loses: true, by: 2 },
  { proposals: [propose('custom', 1)], lagging: [4], loses: true },
  {
    proposals: [0, 1, 2].map((by) => propose('custom', by)),
    lagging: [4],
    loses: true,
  },
  { chatter: [0, 1, 2, 3, 4] },
  { chatter: [0, 1, 2, 3, 4], lagging: [3] },
  { chatter: [0, 1, 2, 3, 4], lagging: [3] },
  { chatter: [0, 1, 2, 3, 4] },
]
