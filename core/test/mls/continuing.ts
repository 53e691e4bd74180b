import { utf8 } from '../../src/codec/bytes.ts'
import type { SecretSuite } from '../../src/crypto/secret/index.ts'
import {
  createKeyPackage,
  type KeyPackageBundle,
  type OwnLeaf,
} from '../../src/mls/bootstrap/index.ts'
import { type Continuing, Group, type PendingCommit } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import type { Proposal } from '../../src/wire/index.ts'
import { CredentialType, ProposalType } from '../../src/wire/registry.ts'
import { groupAfter, Party, type PartyOptions, welcomeIn } from './party.ts'

export const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }

/** Members' views of one group, by name. */
export type Views = Map<string, Group>

/** A group of these people in suite 1. */
export async function founded(names: readonly string[]): Promise<{ party: Party; old: Views }> {
  const party = await Party.of(names, permissive)
  return {
    party,
    old: new Map(party.participants.map(({ person, group }) => [person.name, group])),
  }
}

export function viewIn(views: Views, name: string): Group {
  const group = views.get(name)
  if (group === undefined) throw new Error(`${name} is not in the group`)
  return group
}

/** A commit that the log takes: everyone applies it. */
export async function commitIn(
  views: Views,
  by: string,
  proposals: readonly Proposal[],
): Promise<void> {
  const pending = await viewIn(views, by).commit({ proposals })
  for (const [name, group] of views) {
    const next =
      name === by ? group.confirm(pending) : groupAfter(await group.receive(pending.message))
    views.set(name, next)
  }
}

export function reInitAs(
  cipherSuite: number,
  change: Partial<Extract<Proposal, { proposalType: typeof ProposalType.reInit }>> = {},
): Extract<Proposal, { proposalType: typeof ProposalType.reInit }> {
  return {
    proposalType: ProposalType.reInit,
    groupId: utf8(`the next, of suite ${cipherSuite}`),
    version: 1,
    cipherSuite,
    extensions: [],
    ...change,
  }
}

export function suiteIn({ environment }: Party, id: number): SecretSuite {
  const suite = environment.crypto.secretSuite(id)
  if (suite === undefined) throw new Error(`suite ${id} is missing`)
  return suite
}

/** Who somebody of this name is in a group of this suite: a leaf with a key of its own. */
export async function leafOf(party: Party, name: string, id: number): Promise<OwnLeaf> {
  return {
    signer: await suiteIn(party, id).generateSigner(),
    credential: { credentialType: CredentialType.basic, identity: utf8(name) },
    capabilities: {
      versions: [1],
      cipherSuites: [id],
      extensions: [],
      proposals: [],
      credentials: [CredentialType.basic],
    },
    extensions: [],
  }
}

export async function bundleOf(party: Party, name: string, id: number): Promise<KeyPackageBundle> {
  const own = await leafOf(party, name, id)
  return createKeyPackage(suiteIn(party, id), own, party.lifetime())
}

export interface Invitation {
  readonly pending: PendingCommit
  readonly bundles: ReadonlyMap<string, KeyPackageBundle>
  /** The founder's leaf. */
  readonly own: OwnLeaf
}

/** `founder` makes the group that continues another, for itself and `others`. */
export async function invite(
  party: Party,
  founder: string,
  others: readonly string[],
  id: number,
  found: (continuing: Continuing) => Promise<PendingCommit>,
): Promise<Invitation> {
  const bundles = new Map<string, KeyPackageBundle>()
  for (const name of others) bundles.set(name, await bundleOf(party, name, id))
  const own = await leafOf(party, founder, id)
  const pending = await found({
    own,
    lifetime: party.lifetime(),
    keyPackages: [...bundles.values()].map(({ keyPackage }) => keyPackage),
    commit: { groupInfo: { ratchetTree: true } },
  })
  return { pending, bundles, own }
}

/** Everyone of the invitation enters, each from its own view of the old group. */
export async function enterAll(
  party: Party,
  old: Views,
  founder: string,
  { pending, bundles }: Invitation,
): Promise<Views> {
  const views: Views = new Map()
  for (const [name, bundle] of bundles) {
    const joining = { welcome: welcomeIn(pending.welcome), bundle }
    views.set(name, await Group.join(party.environment, joining, viewIn(old, name)))
  }
  return views.set(founder, Group.enter(pending))
}
