import fc from 'fast-check'

/** Who is meant by a number is taken modulo how many there are to choose from. */
type Who = number

export const proposalKinds = [
  'add',
  'update',
  'remove',
  'self-remove',
  'external-psk',
  'resumption-psk',
  'extensions',
  'custom',
  'invalid',
  'added-by-keyserver',
  'removed-by-keyserver',
  'newcomer',
] as const
export type ProposalKind = (typeof proposalKinds)[number]

export interface ProposalStep {
  readonly kind: ProposalKind
  readonly by: Who
  readonly target: Who
  readonly encrypted: boolean
}

export const inlineKinds = ['add', 'remove', 'external-psk', 'extensions', 'custom'] as const
export type InlineKind = (typeof inlineKinds)[number]

/** What happens in one epoch, from what is said in it to the commit that ends it. */
export interface Round {
  /** Who come back from storage. */
  readonly restored: readonly Who[]
  /** Who says something. */
  readonly chatter: readonly Who[]
  readonly proposals: readonly ProposalStep[]
  readonly way: 'member' | 'external' | 'resync'
  readonly by: Who
  /** How many others commit too, and lose. */
  readonly rivals: number
  /** Whether the committer crashes with its commit on the way, and comes back from storage. */
  readonly crashes: boolean
  readonly inline: readonly { readonly kind: InlineKind; readonly target: Who }[]
  readonly path: 'always' | 'if-required'
  readonly encrypted: boolean
  /** Who hears nothing of it before the next round in which they are not named, at the earliest. */
  readonly lagging: readonly Who[]
  /** Whether one of those misses a handshake message for good. */
  readonly loses: boolean
  /** Milliseconds that pass. */
  readonly pause: number
}

export interface Plan {
  readonly seed: number
  readonly size: number
  readonly rounds: readonly Round[]
  readonly ending: 'none' | 'reinit' | 'branch'
}

const who = fc.nat(255)
const someone = (maxLength: number) => fc.array(who, { maxLength })

const round: fc.Arbitrary<Round> = fc.record({
  restored: someone(2),
  chatter: someone(4),
  proposals: fc.array(
    fc.record({
      kind: fc.constantFrom(...proposalKinds),
      by: who,
      target: who,
      encrypted: fc.boolean(),
    }),
    { maxLength: 4 },
  ),
  way: fc.oneof(
    { weight: 6, arbitrary: fc.constant('member' as const) },
    { weight: 1, arbitrary: fc.constant('external' as const) },
    { weight: 1, arbitrary: fc.constant('resync' as const) },
  ),
  by: who,
  rivals: fc.nat(2),
  crashes: fc.boolean(),
  inline: fc.array(fc.record({ kind: fc.constantFrom(...inlineKinds), target: who }), {
    maxLength: 2,
  }),
  path: fc.constantFrom('always', 'if-required'),
  encrypted: fc.boolean(),
  lagging: someone(2),
  loses: fc.boolean(),
  pause: fc.constantFrom(0, 1000, 25_000, 61_000),
})

/** Mostly few members, for they show as much as many do. */
const size = fc.oneof(
  { weight: 14, arbitrary: fc.integer({ min: 2, max: 10 }) },
  { weight: 1, arbitrary: fc.integer({ min: 11, max: 64 }) },
)

export const maxMembers = 64

export const plan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(),
  size,
  rounds: fc.array(round, { minLength: 4, maxLength: 12, size: 'max' }),
  ending: fc.constantFrom('none', 'reinit', 'branch'),
})
