import { expect } from 'vitest'
import type { EpochKeys, FrameCryptor } from '../../../src/media/index.ts'
import type { Client, Room } from './room.ts'

export const chacha = 3
export const all = ['alice', 'bob', 'carol', 'dan']

/** What a client has been given to encrypt media with. */
export class Recorder {
  readonly installed: EpochKeys[] = []

  readonly make = (): FrameCryptor => ({
    installEpoch: (keys) => {
      this.installed.push({ ...keys, baseKey: keys.baseKey.slice() })
    },
    protect: async () => {},
    unprotect: async () => {},
    stats: async () => ({ senders: [], receivers: [] }),
    close: () => {},
  })

  get newest(): EpochKeys {
    const newest = this.installed.at(-1)
    if (newest === undefined) throw new Error('no epoch was installed')
    return newest
  }
}

export interface Attendee extends Client {
  readonly name: string
  readonly keys: Recorder
}

export async function meetingOf(room: Room, ...names: readonly string[]): Promise<Attendee[]> {
  const attendees: Attendee[] = []
  for (const name of names) {
    const keys = new Recorder()
    const client = await room.join(name, undefined, { createFrameCryptor: keys.make })
    attendees.push({ ...client, name, keys })
  }
  await room.agreed(attendees, names)
  for (const { meeting } of attendees) {
    await meeting.protect({} as RTCRtpSender, { source: 'camera' })
  }
  return attendees
}

export type Four = [Attendee, Attendee, Attendee, Attendee]

/** What became of a promise, while the room's time passes. */
export function outcomeOf(promise: Promise<unknown>): { value: string } {
  const outcome = { value: '' }
  promise.then(
    () => {
      outcome.value = 'done'
    },
    (error: { code?: string; detail?: string }) => {
      outcome.value = `${error.code} ${error.detail}`
    },
  )
  return outcome
}

export function agreeOnKeys(attendees: readonly Attendee[]): void {
  const newest = attendees.map(({ keys }) => keys.newest)
  expect(new Set(newest.map(({ baseKey }) => baseKey.join())).size).toBe(1)
  expect(new Set(newest.map(({ epoch }) => epoch)).size).toBe(1)
  attendees.forEach(({ meeting }, i) => {
    expect(newest[i]?.ownLeaf).toBe(meeting.self.leaf)
  })
}

export async function talk(room: Room, attendees: readonly Attendee[]): Promise<void> {
  for (const { meeting, name } of attendees) {
    const heard = attendees.filter((other) => other.name !== name)
    const text = `${name} at ${room.clock.now()}`
    void meeting.send({ text })
    const hasHeard = ({ witness }: Attendee) => witness.chat.includes(`${name}: ${text}`)
    await room.until(() => heard.every(hasHeard))
  }
}
