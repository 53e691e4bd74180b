import { type Bytes, equalBytes, fromUtf8, toHex } from '@conclave/core/codec'
import { memberOf } from '@conclave/core/meeting'
import type { Member } from '@conclave/core/mls/treesync'
import { CredentialType, type LeafNode } from '@conclave/core/wire'
import type { MeetingEffect } from './meetingEffect.ts'

/** Somebody's device, as it is the same in every meeting. */
export interface NamedDevice {
  readonly identity: string
  /** What people verify about a device. */
  readonly deviceKey: Bytes
}

/** What the user has found out about a device, in this meeting or before. */
export interface Standing {
  /** Whether it is the user's own, or `SecureMeeting.verify` was called for it. */
  readonly verified: boolean
  /** Whether other devices of its identity were verified and this one was not. */
  readonly deviceChanged: boolean
}

/** Somebody in the meeting, as their authenticated leaf says. */
export interface Participant extends NamedDevice, Standing {
  /** The leaf index, which media keys name them by. */
  readonly leaf: number
  /** Whether this is the session's own leaf. */
  readonly self: boolean
}

/** A device in the meeting; each of its tabs has a leaf. */
export interface Device extends NamedDevice, Standing {
  readonly participants: readonly Participant[]
}

/** What a commit does to who is there. */
export type RosterEffect = Pick<
  MeetingEffect,
  'proposals' | 'added' | 'removed' | 'tree' | 'requests'
>

/** Tells the standing of a device with the one that is ours. */
export type StandingOf = (own: NamedDevice, device: NamedDevice) => Standing

/** Who is in the meeting in one epoch. */
export class Roster {
  static readonly empty = new Roster([])

  /** By ascending leaf index. */
  readonly participants: readonly Participant[]
  readonly self: Participant | undefined

  private constructor(participants: readonly Participant[]) {
    this.participants = participants
    this.self = participants.find(({ self }) => self)
  }

  /** The roster of the epoch that we have entered in. */
  static of(members: readonly Member[], ownLeaf: number, standingOf: StandingOf): Roster {
    const named = members.map(({ leafIndex: leaf, leafNode }) => ({
      ...namedDevice(leafNode),
      leaf,
      self: leaf === ownLeaf,
    }))
    const own = named.find(({ self }) => self)
    if (own === undefined) return Roster.empty
    return new Roster(named.map((each) => ({ ...each, ...standingOf(own, each) })))
  }

  /**
   * The roster after a commit. Leaves are read of those alone who have come, because reading all of
   * a large tree takes long and no leaf may change its identity or device (`member-changed`).
   */
  after({ proposals, added, removed, tree }: RosterEffect, standingOf: StandingOf): Roster {
    const { committer, externalInit } = proposals
    const { self } = this
    const came = added.map(({ leafIndex }) => leafIndex)
    if (externalInit !== undefined) came.push(committer)
    if (removed.length + came.length === 0) return this
    const newcomers = came.flatMap((leaf): readonly Participant[] => {
      const leafNode = tree.leafNode(leaf)
      if (leafNode === undefined || self === undefined) return []
      const device = namedDevice(leafNode)
      return [{ ...device, ...standingOf(self, device), leaf, self: false }]
    })
    const gone = new Set<number>([...removed, ...came])
    const stayed = this.participants.filter(({ leaf }) => !gone.has(leaf))
    const all = [...stayed, ...newcomers]
    return new Roster(newcomers.length === 0 ? all : all.sort((a, b) => a.leaf - b.leaf))
  }

  /** The same people with what is known of them now. */
  withStandings(standingOf: StandingOf): Roster {
    const { self } = this
    if (self === undefined) return this
    return new Roster(this.participants.map((each) => ({ ...each, ...standingOf(self, each) })))
  }

  at(leaf: number): Participant | undefined {
    let [from, to] = [0, this.participants.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.participants[middle] as Participant).leaf < leaf) from = middle + 1
      else to = middle
    }
    const found = this.participants[from]
    return found?.leaf === leaf ? found : undefined
  }

  /** The devices of each identity. */
  get people(): ReadonlyMap<string, readonly Device[]> {
    const people = new Map<string, Map<string, Participant[]>>()
    for (const participant of this.participants) {
      const { identity, deviceKey } = participant
      const id = toHex(deviceKey)
      const devices = people.get(identity) ?? new Map<string, Participant[]>()
      people.set(identity, devices)
      const leaves = devices.get(id) ?? []
      devices.set(id, leaves)
      leaves.push(participant)
    }
    return new Map([...people].map(([identity, devices]) => [identity, devicesOf(devices)]))
  }

  /** Every leaf of a person: what has to be removed with them. */
  leavesOf(identity: string): readonly number[] {
    return this.participants.filter((each) => each.identity === identity).map(({ leaf }) => leaf)
  }
}

export function isSameDevice(a: NamedDevice, b: NamedDevice): boolean {
  return a.identity === b.identity && equalBytes(a.deviceKey, b.deviceKey)
}

export function namedDevice(leafNode: LeafNode): NamedDevice {
  const { credential, signatureKey } = leafNode
  const identity =
    credential.credentialType === CredentialType.basic ? fromUtf8(credential.identity) : undefined
  return {
    identity: identity ?? toHex(signatureKey),
    deviceKey: memberOf(leafNode).deviceKey,
  }
}

function devicesOf(byKey: ReadonlyMap<string, readonly Participant[]>): readonly Device[] {
  return [...byKey.values()].map((participants) => {
    const { identity, deviceKey, verified, deviceChanged } = participants[0] as Participant
    return { identity, deviceKey, verified, deviceChanged, participants }
  })
}
