import { type Bytes, toHex } from '@conclave/core/codec'
import { encodeVoid, packEntries, packKeyPackages, type RequestName } from '@conclave/core/delivery'
import { add, keyPackageOf, type MeetingPlace, TestMember } from '../support/testMember.ts'
import { identities, lonelyMeetings } from './cases.ts'

export type Payload = Readonly<Record<string, unknown>>
export type Payloads = { readonly [N in RequestName]: readonly Payload[] }

/** Byte strings of earlier epochs and other groups that are kept for replaying. */
const keptStale = 200

/**
 * A meeting with members whose valid messages hostile clients damage, reorder and replay. What its
 * members would send next is made but not sent.
 */
export class Arena {
  readonly meetingId: string
  readonly members: readonly [TestMember, TestMember]
  readonly #place: MeetingPlace
  #payloads: Partial<Payloads> = {}

  private constructor(place: MeetingPlace, members: readonly [TestMember, TestMember]) {
    this.#place = place
    this.members = members
    this.meetingId = members[0].meetingId
  }

  static async open(place: MeetingPlace, meetingId: string): Promise<Arena> {
    const founder = await TestMember.found(place, `${meetingId}-ann`, meetingId)
    const joiner = await TestMember.arrive(place, `${meetingId}-ben`, meetingId)
    const bundle = await joiner.wait()
    await founder.admit(1)
    await joiner.join(bundle)
    await joiner.take()
    return new Arena(place, [founder, joiner])
  }

  get groupId(): string {
    return toHex(this.members[0].groupId)
  }

  get payloads(): Partial<Payloads> {
    return this.#payloads
  }

  /**
   * Takes in what has been appended and makes the valid requests of the epoch anew. Fails where the
   * members can go on no longer, which insiders can bring about: with a message whose membership
   * tag only members can check, or a removal.
   */
  async refresh(): Promise<void> {
    const [ann, ben] = this.members
    for (const member of this.members) {
      member.client.notices.entry.length = 0
      await member.resume()
      await member.attach()
    }
    // What is pending is committed, so that the attack cannot stall itself.
    const before = await ann.prepareCommit()
    await ann.client
      .ask('commit', before.upload)
      .then(({ seq }) => ann.confirm(before.pending, seq))
    await ben.resume()
    const { meetingId } = this
    const newcomer = await TestMember.arrive(this.#place, `${meetingId}-eve`, meetingId)
    try {
      this.#payloads = await payloadsOf(ann, ben, newcomer)
    } finally {
      newcomer.client.disconnect()
    }
  }

  close(): void {
    for (const member of this.members) member.client.disconnect()
  }
}

async function payloadsOf(
  ann: TestMember,
  ben: TestMember,
  newcomer: TestMember,
): Promise<Partial<Payloads>> {
  const { groupId, seen } = ann
  const { encoded: keyPackage } = await newcomer.keyPackage()
  const plain = await ann.prepareCommit()
  const adding = await ann.prepareCommit([add(keyPackageOf(keyPackage))])
  // Signed by a member, and against the rules.
  const removing = await ann.forge(plain.upload, (content) => ({
    ...content,
    commit: {
      ...content.commit,
      proposals: [{ type: 1, proposal: { proposalType: 3, removed: ben.leafIndex } }],
    },
  }))
  const pathless = await ann.forge(plain.upload, (content) => ({
    ...content,
    commit: { ...content.commit, path: undefined },
  }))
  const ahead = await ann.forge(plain.upload, (content) => ({
    ...content,
    authenticatedData: ann.envelope(2 ** 40),
  }))
  const external = await newcomer.prepareExternalCommit()
  const leaving = await ben.group.proposeSelfRemove()
  const update = await ben.group.proposeUpdate()
  const words = await ben.group.protect(new Uint8Array(100))
  const chain = [
    { seq: seen + 1, message: leaving },
    { seq: seen + 2, message: plain.upload.message },
  ]
  const { message, groupInfo } = plain.upload
  const given = (entries: readonly { seq: number; message: Bytes }[], after = seen): Payload => ({
    groupId,
    after,
    entries: packEntries(entries),
    groupInfo,
  })
  const signature = new Uint8Array(64).fill(7)
  const { ratchetTree } = await ann.foundingOf()
  for (const { pending } of [plain, adding]) pending.discard()
  return {
    wait: [{ groupId, keyPackage }],
    resume: [
      { groupId, after: seen },
      { groupId, after: 0 },
    ],
    attach: [{ groupId, leafIndex: ann.leafIndex, signature }],
    propose: [
      { groupId, message: leaving },
      { groupId, message: update },
      { groupId, message },
    ],
    commit: [plain.upload, adding.upload, external.upload, removing, pathless, ahead].map(
      (one) => ({ ...one }),
    ),
    tree: [{ groupId, treeHash: ann.group.groupContext.treeHash }],
    groupInfo: [{ groupId }],
    report: (['failed', 'applied'] as const).map((status) => ({
      groupId,
      seq: seen,
      leafIndex: ben.leafIndex,
      status,
      signature,
    })),
    send: [
      { groupId, message: words },
      { groupId, message: leaving },
    ],
    remove: [{ groupId, identity: ben.identity, leafIndex: ann.leafIndex, words: signature }],
    offer: [{ groupId, keyPackage }],
    offers: [{ groupId }],
    continue: [
      { groupId, groupInfo, ratchetTree, welcome: adding.upload.welcome },
      { groupId, groupInfo, ratchetTree, welcome: null },
    ],
    giveBack: [
      given([{ seq: seen + 1, message }]),
      given(chain),
      given(chain.toReversed()),
      given([...chain, ...chain]),
      given([{ seq: seen + 1, message: leaving }]),
      given([{ seq: seen + 1, message: encodeVoid(seen, [{ leafIndex: 0, signature }]) }]),
      given([{ seq: 1, message }], 0),
      given([]),
    ],
  }
}

/** What is valid without any meeting's group: founding, and the directory's requests. */
export async function commonPayloads(place: MeetingPlace): Promise<Partial<Payloads>> {
  const create: Payload[] = []
  const publish: Payload[] = []
  const deviceKeys: Bytes[] = []
  for (let i = 0; i < lonelyMeetings; i++) {
    const founder = await TestMember.arrive(place, `founder-${i}`, `lonely-${i}`)
    create.push({ ...(await founder.prepareFounding()) })
    founder.client.disconnect()
  }
  for (let i = 0; i < identities; i++) {
    const device = await TestMember.arrive(place, `attacker-${i}`, 'lonely-0')
    const single = [(await device.publishable()).encoded, (await device.publishable()).encoded]
    const lastResort = (await device.publishable({ lastResort: true })).encoded
    publish.push({ keyPackages: packKeyPackages(single), lastResort })
    publish.push({ keyPackages: packKeyPackages(single), lastResort: null })
    deviceKeys.push(await device.deviceKey())
    device.client.disconnect()
  }
  const ref = new Uint8Array(32)
  return {
    enter: ['arena-0-0', 'arena-1-0', 'lonely-0', 'lonely-1', 'quiet', '*', '__proto__'].flatMap(
      (meetingId) => [
        { protocol: 1, minor: 1, meetingId },
        { protocol: 1, meetingId },
      ],
    ),
    create,
    publish,
    stock: deviceKeys.map((deviceKey) => ({ deviceKey })),
    mailbox: deviceKeys.map((deviceKey) => ({ deviceKey })),
    collect: deviceKeys.map((deviceKey) => ({ deviceKey, groupId: ref.slice(0, 16), ref })),
    claim: ['attacker-0', 'attacker-1', 'nobody', '__proto__'].map((identity) => ({ identity })),
  }
}

/** Byte strings that were valid once or elsewhere. */
export class StaleBytes {
  readonly #kept: Uint8Array[] = []

  keep(payloads: Partial<Payloads>): void {
    for (const payload of Object.values(payloads).flat()) {
      for (const value of Object.values(payload)) this.keepBytes(value)
    }
  }

  keepBytes(value: unknown): void {
    if (!(value instanceof Uint8Array)) return
    this.#kept.push(value)
    if (this.#kept.length > keptStale) this.#kept.shift()
  }

  get all(): readonly Uint8Array[] {
    return this.#kept
  }
}
