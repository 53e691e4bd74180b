import { type Bytes, equalBytes, toHex } from '@conclave/core/codec'
import { systemClock } from '@conclave/keyserver'
import { eventually } from '../support/eventually.ts'
import { TestClient } from '../support/testClient.ts'
import { TestMember } from '../support/testMember.ts'
import type { Finding } from './hostileSession.ts'
import { tokenFor } from './tokens.ts'

export const quietMeetingId = 'quiet'

/** Between two commits, in milliseconds, so that no leaf commits too often. */
const pauseMs = 60

/**
 * A meeting that goes on beside the attack: its members commit in turn. Whatever it comes to has to
 * be what its members did, and nothing else.
 */
export class QuietMeeting {
  readonly members: readonly TestMember[]
  /** How long each commit took from its request to its acknowledgement, in milliseconds. */
  readonly acknowledgedAfter: number[] = []
  readonly #patienceMs: number
  /** What its members sent, by its place in the log. */
  readonly #sent = new Map<number, Bytes>()
  readonly #start: number

  private constructor(patienceMs: number, members: readonly TestMember[]) {
    this.#patienceMs = patienceMs
    this.members = members
    this.#start = members[0]?.seen ?? 0
    for (const { client } of members) client.notices.entry.length = 0
  }

  static async open(port: number, patienceMs: number): Promise<QuietMeeting> {
    const connect = async (identity: string, meetingId: string) => {
      const auth = { token: await tokenFor(identity, meetingId) }
      const client = new TestClient(`http://127.0.0.1:${port}`, auth, { patienceMs })
      await client.connected()
      return client
    }
    const founder = await TestMember.found({ clock: systemClock, connect }, 'alice', quietMeetingId)
    const members = [founder]
    for (const identity of ['bob', 'carol']) {
      const joiner = await TestMember.arrive(founder.server, identity, quietMeetingId)
      const bundle = await joiner.wait()
      const seq = await founder.admit(1)
      await joiner.join(bundle)
      await joiner.take()
      await Promise.all(members.slice(1).map((member) => member.receiveUpTo(seq)))
      members.push(joiner)
    }
    return new QuietMeeting(patienceMs, members)
  }

  get groupId(): string {
    return toHex(this.#first.groupId)
  }

  /** What an attacker could have got hold of: messages, in hex. */
  get overheard(): readonly string[] {
    return [...this.#sent.values()].slice(-5).map(toHex)
  }

  /** Commits in turn until told otherwise; each is received by all. */
  async goOn(enough: () => boolean): Promise<void> {
    for (let round = 0; !enough(); round++) {
      const committer = this.members[round % this.members.length] as TestMember
      const { pending, upload } = await committer.prepareCommit()
      const began = performance.now()
      const { seq } = await committer.client.ask('commit', upload)
      this.acknowledgedAfter.push(performance.now() - began)
      committer.confirm(pending, seq)
      this.#sent.set(seq, upload.message)
      const others = this.members.filter((member) => member !== committer)
      await Promise.all(others.map((member) => member.receiveUpTo(seq)))
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  /** What differs from what its members did. */
  async differences(): Promise<readonly Finding[]> {
    const differences: string[] = []
    const expect = (holds: boolean, what: string) => {
      if (!holds) differences.push(what)
    }
    const head = this.#start + this.#sent.size
    const first = this.#first
    const { confirmedTranscriptHash, treeHash } = first.group.groupContext
    for (const { identity, seen, group, client } of this.members) {
      const { entry, waiting, present, welcome, closed, ...others } = client.notices
      expect(seen === head, `${identity} is at entry ${seen} of ${head}`)
      expect(
        equalBytes(group.groupContext.confirmedTranscriptHash, confirmedTranscriptHash),
        `${identity} has another transcript`,
      )
      await eventually(
        'every entry',
        () => entry.length >= this.#sent.size,
        this.#patienceMs,
      ).catch(() =>
        differences.push(`${identity} has ${entry.length} of ${this.#sent.size} entries`),
      )
      expect(
        entry.length === this.#sent.size && entry.every((one) => this.#isOurs(one)),
        `${identity} was told of entries that are not the members'`,
      )
      const unwanted = [closed, ...Object.values(others)]
      expect(
        unwanted.every((told) => told.length === 0),
        `${identity}: notices`,
      )
      expect(welcome.length === (member(identity) === 'founder' ? 0 : 1), `${identity}: welcomes`)
      expect(
        present.every(({ leaves }) => leaves.every((leaf) => leaf < this.members.length)),
        `${identity} heard of others who are present`,
      )
      expect(
        [...waiting, ...present, ...welcome].every((one) => toHex(one.groupId) === this.groupId),
        `${identity} heard of another group`,
      )
    }
    const {
      entries,
      head: last,
      present,
      waiting,
    } = await first.client.ask('resume', {
      groupId: first.groupId,
      after: Math.max(this.#start, head - 20),
    })
    expect(last === head, `the log ends with ${last}, not ${head}`)
    expect(
      entries.every(({ seq, message }) => equalBytes(this.#sent.get(seq) ?? noBytes, message)),
      'the log has other entries than the members sent',
    )
    expect(present.length === this.members.length, `${present.length} members are present`)
    expect(waiting.length === 0, `${waiting.length} wait`)
    const { ratchetTree } = await first.client.ask('tree', { groupId: first.groupId, treeHash })
    expect(ratchetTree.length > 0, 'the tree is another')
    return differences.map((detail) => ({ kind: 'quiet-meeting-disturbed', detail }))
  }

  leave(): void {
    for (const { client } of this.members) client.disconnect()
  }

  get #first(): TestMember {
    return this.members[0] as TestMember
  }

  #isOurs({ groupId, entry }: { groupId: Bytes; entry: { seq: number; message: Bytes } }): boolean {
    const sent = this.#sent.get(entry.seq)
    return toHex(groupId) === this.groupId && sent !== undefined && equalBytes(sent, entry.message)
  }
}

const noBytes = new Uint8Array(0)
const member = (identity: string) => (identity === 'alice' ? 'founder' : 'added')
