import { type Bytes, emptyBytes } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import type { OwnProposal } from '../../src/mls/group/index.ts'
import { KeyPackage } from '../../src/wire/index.ts'
import { ProposalType } from '../../src/wire/registry.ts'
import { epochOf } from '../mls/malformed.ts'
import { Random } from '../wire/mutation/random.ts'
import type { Conclave, ConclaveMember } from './conclave.ts'
import { bothLibraries } from './libraries.ts'
import type { CommitPlan, Framing, Member, OwnKeyPackage } from './member.ts'
import type { TsMls, TsMlsMember } from './tsMls.ts'

export const plain: Framing = { encrypted: false, authenticatedData: emptyBytes }

/** mallory, who forges, and alice use this library; bob and carol use ts-mls. */
export class MixedGroup {
  readonly conclave: Conclave
  readonly tsMls: TsMls
  readonly mallory: ConclaveMember
  readonly alice: ConclaveMember
  readonly bob: TsMlsMember
  readonly carol: TsMlsMember

  private constructor(
    [conclave, tsMls]: readonly [Conclave, TsMls],
    [mallory, alice]: readonly [ConclaveMember, ConclaveMember],
    [bob, carol]: readonly [TsMlsMember, TsMlsMember],
  ) {
    this.conclave = conclave
    this.tsMls = tsMls
    this.mallory = mallory
    this.alice = alice
    this.bob = bob
    this.carol = carol
  }

  static async of(): Promise<MixedGroup> {
    const random = new Random(9420, 0)
    const libraries = await bothLibraries(1, (length) => random.bytes(length))
    const [conclave, tsMls] = libraries
    const mallory = await conclave.found(await conclave.person('mallory'), random.bytes(16))
    const alice = await conclave.keyPackage(await conclave.person('alice'))
    const bob = await tsMls.keyPackage(await conclave.person('bob'))
    const carol = await tsMls.keyPackage(await conclave.person('carol'))
    const { welcome, confirm } = await mallory.commit(
      committing([alice, bob, carol].map((own) => adding(own))),
    )
    confirm()
    if (welcome === undefined) throw new Error('three were added')
    const tree = mallory.ratchetTree()
    return new MixedGroup(
      libraries,
      [mallory, await conclave.join(welcome, alice, tree)],
      [await tsMls.join(welcome, bob, tree), await tsMls.join(welcome, carol, tree)],
    )
  }

  /** What mallory knows. */
  epoch(): Promise<Epoch> {
    return epochOf(this.mallory.group)
  }

  async newcomer(library: Conclave | TsMls = this.conclave, name = 'erin'): Promise<OwnKeyPackage> {
    return library.keyPackage(await this.conclave.person(name))
  }
}

export function committing(proposals: readonly OwnProposal[] = []): CommitPlan {
  return { ...plain, proposals, path: true, ratchetTree: false }
}

export function adding({ keyPackage }: OwnKeyPackage): OwnProposal {
  return { proposalType: ProposalType.add, keyPackage: decode(KeyPackage, keyPackage) }
}

/** What a member makes of a message: its kind, or why it is refused. */
export async function verdict(member: Member, message: Bytes): Promise<string> {
  try {
    return (await member.receive(message)).kind
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return 'code' in error ? String(error.code) : error.message
  }
}
