import { type Bytes, decode, encode } from '@conclave/core/codec'
import { CommitEnvelope } from '@conclave/core/delivery'
import { foundingExtensions, maxAddsPerCommit, meetingPolicy } from '@conclave/core/meeting'
import type { KeyPackageBundle } from '@conclave/core/mls/bootstrap'
import { Group, type GroupEnvironment } from '@conclave/core/mls/group'
import {
  type ExternalSender,
  type KeyPackage,
  MlsMessage,
  type Proposal,
  ProposalType,
  RatchetTree,
  WireFormat,
} from '@conclave/core/wire'
import { systemClock, systemRandom } from '@conclave/keyserver'
import { crypto, keyPackageOf, lifetime, type Person } from './people.ts'

/** What `create` takes. */
export interface Founding {
  readonly groupInfo: Bytes
  readonly ratchetTree: Bytes
}

/** What `commit` takes. */
export interface Upload {
  readonly groupId: Bytes
  readonly after: number
  readonly message: Bytes
  readonly welcome: Bytes | null
  readonly groupInfo: Bytes
}

/**
 * A meeting's group, in which commits are made before the keyserver has seen any of them: it gets
 * what clients would upload, one commit after the other.
 */
export class PreparedGroup {
  readonly meetingId: string
  readonly founder: Person
  readonly founding: Founding
  /** Other members who commit, too. */
  readonly #others: Group[] = []
  readonly #environment: GroupEnvironment
  #group: Group
  #seq = 0

  private constructor(
    meetingId: string,
    founder: Person,
    group: Group,
    founding: Founding,
    environment: GroupEnvironment,
  ) {
    this.meetingId = meetingId
    this.founder = founder
    this.#group = group
    this.founding = founding
    this.#environment = environment
  }

  static async found(
    meetingId: string,
    founder: Person,
    externalSender: ExternalSender,
  ): Promise<PreparedGroup> {
    const terms = { policy: 'open' } as const
    const policy = meetingPolicy({ meetingId, trust: terms })
    const environment = { crypto, policy, clock: systemClock }
    const group = await Group.found(environment, {
      cipherSuite: 1,
      groupId: systemRandom(16),
      own: founder,
      lifetime,
      extensions: foundingExtensions(meetingId, terms, externalSender),
    })
    const founding = {
      groupInfo: await group.groupInfo({ externalPub: true }),
      ratchetTree: encode(RatchetTree, group.ratchetTree),
    }
    return new PreparedGroup(meetingId, founder, group, founding, environment)
  }

  get groupId(): Bytes {
    return this.#group.groupId
  }

  /**
   * A commit of the founder, which renews its keys.
   * @param added in the order of their leaves
   */
  async commit(added: readonly KeyPackage[] = []): Promise<Upload> {
    const proposals = added.map(
      (keyPackage): Proposal => ({ proposalType: ProposalType.add, keyPackage }),
    )
    const { group, upload } = await this.#commitBy(this.#group, proposals)
    for (const [i, other] of this.#others.entries()) {
      this.#others[i] = await received(other, upload.message)
    }
    this.#group = group
    return upload
  }

  /** Somebody whom the last commit has added takes the place, to commit as well. */
  async enter({ welcome }: Upload, bundle: KeyPackageBundle): Promise<void> {
    const message = decode(MlsMessage, welcome ?? new Uint8Array(0))
    if (message.wireFormat !== WireFormat.welcome) throw new TypeError('no Welcome')
    const ratchetTree = async () => this.#group.ratchetTree
    const joining = { welcome: message.welcome, bundle, ratchetTree }
    this.#others.push(await Group.join(this.#environment, joining))
  }

  /** A commit of each who has entered. */
  async commitOfOthers(): Promise<Upload[]> {
    const uploads: Upload[] = []
    for (const i of this.#others.keys()) {
      const { group, upload } = await this.#commitBy(this.#others[i] as Group, [])
      for (const [j, other] of this.#others.entries()) {
        this.#others[j] = j === i ? group : await received(other, upload.message)
      }
      this.#group = await received(this.#group, upload.message)
      uploads.push(upload)
    }
    return uploads
  }

  async #commitBy(member: Group, proposals: readonly Proposal[]) {
    const after = this.#seq
    const pending = await member.commit({
      proposals,
      authenticatedData: encode(CommitEnvelope, { seenSeq: BigInt(after) }),
      groupInfo: { externalPub: true },
    })
    this.#seq += 1
    const { message, groupInfo, welcome = null } = pending
    const upload: Upload = { groupId: member.groupId, after, message, groupInfo, welcome }
    return { group: member.confirm(pending), upload }
  }
}

/**
 * A group of its founder and these, and the commits that add them.
 * @param committing leaves of those who commit, too
 */
export async function groupOf(
  meetingId: string,
  founder: Person,
  others: readonly Person[],
  externalSender: ExternalSender,
  committing: ReadonlySet<number> = new Set(),
): Promise<{ readonly group: PreparedGroup; readonly adding: readonly Upload[] }> {
  const group = await PreparedGroup.found(meetingId, founder, externalSender)
  const bundles = await Promise.all(others.map(keyPackageOf))
  const adding: Upload[] = []
  for (let from = 0; from < bundles.length; from += maxAddsPerCommit) {
    const some = bundles.slice(from, from + maxAddsPerCommit)
    const upload = await group.commit(some.map(({ keyPackage }) => keyPackage))
    adding.push(upload)
    for (const [i, bundle] of some.entries()) {
      if (committing.has(1 + from + i)) await group.enter(upload, bundle)
    }
  }
  return { group, adding }
}

async function received(member: Group, message: Bytes): Promise<Group> {
  const outcome = await member.receive(message)
  if (outcome.kind !== 'commit') throw new TypeError(`a member took a commit for ${outcome.kind}`)
  return outcome.group
}
