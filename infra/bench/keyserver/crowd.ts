import type { Socket } from 'socket.io-client'
import { machineTime } from '../../servers/child.ts'
import { connected, takeSeat } from './clients.ts'
import { type Person, person } from './people.ts'
import { groupOf, type PreparedGroup } from './preparedGroup.ts'
import type { Stage } from './stage.ts'

const meetingId = 'crowd'
/** Connections that are made at the same time, at first. */
const atOnce = 50

/** A meeting in which everybody is connected, and as many connections to the floor. */
export class Crowd {
  readonly group: PreparedGroup
  readonly members: Followers
  readonly bare: Followers
  /** The newest entry of the meeting's log. */
  head: number
  readonly #people: readonly Person[]

  private constructor(
    group: PreparedGroup,
    head: number,
    people: readonly Person[],
    members: Followers,
    bare: Followers,
  ) {
    this.group = group
    this.head = head
    this.#people = people
    this.members = members
    this.bare = bare
  }

  /** One member of each subtree beside the founder's path can commit, too. */
  static async gather(stage: Stage, size: number): Promise<Crowd> {
    const names = Array.from({ length: size }, (_, i) => `member ${i}`)
    const people = await Promise.all(names.map((name) => person(name, meetingId)))
    const [founder, ...others] = people as [Person, ...Person[]]
    const committing = new Set<number>()
    for (let leaf = 2; leaf < size; leaf *= 2) committing.add(leaf)
    const { group, adding } = await groupOf(
      meetingId,
      founder,
      others,
      stage.externalSender,
      committing,
    )
    const members: Socket[] = []
    const bare: Socket[] = []
    for (let from = 0; from < size; from += atOnce) {
      const some = people.slice(from, from + atOnce)
      const [theirs, floors] = await Promise.all([
        Promise.all(some.map(({ identity }) => stage.connect(identity, meetingId))),
        Promise.all(some.map(() => stage.connectBare())),
      ])
      members.push(...theirs)
      bare.push(...floors)
    }
    const followers = [new Followers(members), new Followers(bare)] as const
    const crowd = new Crowd(group, adding.length, people, ...followers)
    const [first, ...rest] = members.keys()
    await crowd.#seat(first ?? 0, { create: group.founding, commits: adding })
    for (const i of rest) await crowd.#seat(i)
    return crowd
  }

  /** All of them, after they have been cut: connect, enter, resume and attach. */
  async returnAll(): Promise<void> {
    await this.members.reconnect((_, i) => this.#seat(i))
  }

  #seat(leafIndex: number, first?: Parameters<typeof takeSeat>[3]): Promise<void> {
    const socket = this.members.sockets[leafIndex]
    const person = this.#people[leafIndex]
    if (socket === undefined || person === undefined) throw new RangeError('nobody sits there')
    const seat = { meetingId, groupId: this.group.groupId, person, leafIndex }
    return takeSeat(socket, seat, first === undefined ? this.head : 0, first)
  }

  disperse(): void {
    for (const socket of [...this.members.sockets, ...this.bare.sockets]) socket.disconnect()
  }
}

/** Connections that get the same entries. */
export class Followers {
  readonly sockets: readonly Socket[]
  #receipts: number[] = []
  #complete: (receipts: readonly number[]) => void = () => {}

  constructor(sockets: readonly Socket[]) {
    this.sockets = sockets
    for (const socket of sockets) {
      socket.on('entry', () => {
        this.#receipts.push(machineTime())
        if (this.#receipts.length === sockets.length) this.#complete(this.#receipts)
      })
    }
  }

  get committer(): Socket {
    const [first] = this.sockets
    if (first === undefined) throw new RangeError('nobody follows')
    return first
  }

  /** When each has received the next entry, by the machine's time. */
  nextReceipts(): Promise<readonly number[]> {
    this.#receipts = []
    return new Promise((resolve) => {
      this.#complete = resolve
    })
  }

  /** Each, once it has noticed that it was cut, connects again and then does this. */
  async reconnect(then: (socket: Socket, i: number) => Promise<void>): Promise<void> {
    await Promise.all(
      this.sockets.map(async (socket, i) => {
        if (socket.connected) await new Promise((resolve) => socket.once('disconnect', resolve))
        const again = connected(socket)
        socket.connect()
        await again
        await then(socket, i)
      }),
    )
  }
}
