import { type Bytes, toHex } from '@conclave/core/codec'
import { type KeyPackageStock, type Mail, packMail } from '@conclave/core/delivery'
import {
  type ClaimedKeyPackage,
  type Claimer,
  claimedMs,
  type DirectoryStore,
  type PublishedKeyPackage,
} from './directory.ts'

interface Claimed {
  /** Until when it is remembered. */
  readonly expiresAt: number
  /** Whether a Welcome for it goes into the mailbox; for a last resort, always. */
  welcome: 'awaited' | 'delivered' | 'any-number'
}

interface Waiting {
  readonly mail: Mail
  readonly bytes: number
  readonly expiresAt: number
}

/** Maps keep what was put in first at the front; keys are hexadecimal. */
class Device {
  readonly key: Bytes
  readonly stock = new Map<string, PublishedKeyPackage>()
  lastResort: PublishedKeyPackage | null = null
  readonly claimed = new Map<string, Claimed>()
  readonly mail = new Map<string, Waiting>()

  constructor(key: Bytes) {
    this.key = key
  }

  get publishes(): boolean {
    return this.stock.size > 0 || this.lastResort !== null
  }
  get remembered(): number {
    return this.stock.size + this.claimed.size + (this.lastResort === null ? 0 : 1)
  }
  get isEmpty(): boolean {
    return this.remembered === 0 && this.mail.size === 0
  }
  get stocks(): KeyPackageStock {
    return { remaining: this.stock.size, lastResort: this.lastResort !== null }
  }

  /** How many KeyPackages and Welcomes have expired, which are gone now. */
  purge(now: number): number {
    const before = this.stock.size + this.mail.size
    deleteExpired(this.stock, now)
    deleteExpired(this.mail, now)
    deleteExpired(this.claimed, now)
    const expired = before - this.stock.size - this.mail.size
    if (this.lastResort === null || this.lastResort.expiresAt > now) return expired
    this.lastResort = null
    return expired + 1
  }

  claim(): ClaimedKeyPackage | undefined {
    const [next] = this.stock.values()
    const taken = next ?? this.lastResort
    if (taken === null) return undefined
    const ref = toHex(taken.ref)
    this.stock.delete(ref)
    this.claimed.set(ref, {
      expiresAt: taken.expiresAt + claimedMs,
      welcome: next === undefined ? 'any-number' : 'awaited',
    })
    return { ...taken, deviceKey: this.key, stock: this.stocks }
  }
}

interface Person {
  readonly devices: Map<string, Device>
  /** When each claimer has claimed lately. */
  readonly claims: Map<string, { readonly times: number[]; expiresAt: number }>
}

/** In the memory of one process: what it holds is gone with it. */
export function memoryDirectory(): DirectoryStore {
  const people = new Map<string, Person>()

  /** Without what has expired. */
  const personOf = (identity: string, now: number): Person => {
    let person = people.get(identity)
    if (person === undefined) {
      person = { devices: new Map(), claims: new Map() }
      people.set(identity, person)
    }
    purge(person, now)
    return person
  }
  const knownDevice = (identity: string, deviceKey: Bytes, now: number): Device | undefined => {
    const person = people.get(identity)
    if (person !== undefined) purge(person, now)
    return person?.devices.get(toHex(deviceKey))
  }

  return {
    async publish({ identity, deviceKey }, { keyPackages, lastResort }, limits, now) {
      const { devices } = personOf(identity, now)
      const device = devices.get(toHex(deviceKey)) ?? new Device(deviceKey)
      const fresh = new Map(
        keyPackages
          .map((one) => [toHex(one.ref), one] as const)
          .filter(([ref]) => !device.stock.has(ref) && !device.claimed.has(ref)),
      )
      const all = [...devices.values()]
      const publishing = all.filter(({ publishes }) => publishes).length
      const comes = !device.publishes && (fresh.size > 0 || lastResort !== null)
      const another = lastResort !== null && device.lastResort === null
      const remembered = all.reduce((sum, one) => sum + one.remembered, 0)
      const added = fresh.size + (another ? 1 : 0)
      if (
        device.stock.size + fresh.size > limits.keyPackagesPerDevice ||
        publishing + (comes ? 1 : 0) > limits.devicesPerIdentity ||
        (added > 0 && remembered + added > limits.keyPackagesPerIdentity)
      ) {
        return null
      }
      for (const [ref, one] of fresh) device.stock.set(ref, one)
      device.lastResort = lastResort ?? device.lastResort
      if (!device.isEmpty) devices.set(toHex(deviceKey), device)
      return device.stocks
    },

    async stock({ identity, deviceKey }, now) {
      const none = { remaining: 0, lastResort: false }
      return knownDevice(identity, deviceKey, now)?.stocks ?? none
    },

    async claim(identity, claimer, now) {
      const person = people.get(identity)
      if (person === undefined) return []
      purge(person, now)
      const publishing = [...person.devices.values()].filter(({ publishes }) => publishes)
      if (publishing.length > 0 && !mayClaim(person.claims, claimer, now)) return null
      return publishing.flatMap((device) => device.claim() ?? [])
    },

    async deliver({ identity, deviceKey }, mail, expiresAt, limits, now) {
      const device = knownDevice(identity, deviceKey, now)
      const ref = toHex(mail.ref)
      const claimed = device?.claimed.get(ref)
      if (device === undefined || claimed === undefined) return false
      if (claimed.welcome === 'delivered') return false
      const key = mailKey(mail)
      // A last resort that is used again in the same group: the Welcome before is of no use.
      const others = [...device.mail].filter(([other]) => other !== key)
      const size = others.reduce((sum, [, { bytes }]) => sum + bytes, 0)
      const bytes = packMail([mail]).length
      if (others.length >= limits.mailPerDevice || size + bytes > limits.mailBytesPerDevice) {
        return false
      }
      if (claimed.welcome === 'awaited') claimed.welcome = 'delivered'
      device.mail.delete(key)
      device.mail.set(key, { mail, bytes, expiresAt })
      return true
    },

    async mailbox({ identity, deviceKey }, now) {
      const device = knownDevice(identity, deviceKey, now)
      return [...(device?.mail.values() ?? [])].map(({ mail }) => mail)
    },

    async collect({ identity, deviceKey }, mail) {
      people.get(identity)?.devices.get(toHex(deviceKey))?.mail.delete(mailKey(mail))
    },

    async sweep(now) {
      let expired = 0
      for (const [identity, person] of people) {
        expired += purge(person, now)
        if (person.devices.size === 0 && person.claims.size === 0) people.delete(identity)
      }
      return expired
    },

    async forget(identity, deviceKey) {
      if (deviceKey === undefined) people.delete(identity)
      else people.get(identity)?.devices.delete(toHex(deviceKey))
    },

    async close() {
      people.clear()
    },
  }
}

function purge({ devices, claims }: Person, now: number): number {
  deleteExpired(claims, now)
  let expired = 0
  for (const [key, device] of devices) {
    expired += device.purge(now)
    if (device.isEmpty) devices.delete(key)
  }
  return expired
}

function deleteExpired(map: Map<string, { readonly expiresAt: number }>, now: number): void {
  for (const [key, { expiresAt }] of map) if (expiresAt <= now) map.delete(key)
}

function mayClaim(
  claims: Person['claims'],
  { identity, rate: { claims: allowed, perMs } }: Claimer,
  now: number,
): boolean {
  const lately = (claims.get(identity)?.times ?? []).filter((at) => at > now - perMs)
  if (lately.length >= allowed) return false
  claims.set(identity, { times: [...lately, now], expiresAt: now + perMs })
  return true
}

function mailKey({ groupId, ref }: Pick<Mail, 'groupId' | 'ref'>): string {
  return `${toHex(groupId)}:${toHex(ref)}`
}
