import { fromUtf8, utf8 } from '@conclave/core/codec'
import fc from 'fast-check'
import type {
  DirectoryDevice,
  DirectoryLimits,
  DirectoryStore,
  PublishedKeyPackage,
} from '../../src/directory/directory.ts'

const minute = 60_000
export const start = 1_700_000_000_000

export const limits: DirectoryLimits = {
  keyPackagesPerDevice: 3,
  keyPackagesPerIdentity: 10,
  devicesPerIdentity: 2,
  mailPerDevice: 2,
  mailBytesPerDevice: 150,
}
export const rate = { claims: 3, perMs: 10 * minute }

export const devices: readonly DirectoryDevice[] = [
  ['bob', 'phone'],
  ['bob', 'laptop'],
  ['bob', 'tablet'],
  ['carol', 'phone'],
].map(([identity = '', name]) => ({ identity, deviceKey: utf8(`${identity} ${name}`) }))
const packages = 6
const lastResorts = 2

/** A KeyPackage says itself whose it is and until when it is good. */
function keyPackage(device: DirectoryDevice, number: number): PublishedKeyPackage {
  const name = `${fromUtf8(device.deviceKey)} ${number}`
  const expiresAt = start + (number + 2) * 10 * minute
  return { ref: utf8(name), keyPackage: utf8(`key package ${name}`), expiresAt }
}

/** Last resorts have the numbers after the others'. */
export function isSingleUse(ref: string): boolean {
  return Number(ref.split(' ').at(-1)) < packages
}

const device = fc.constantFrom(...devices)
const single = fc.nat(packages - 1)
const lastResort = fc.integer({ min: packages, max: packages + lastResorts - 1 })
const group = fc.constantFrom('a', 'b')

export const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('publish'),
      device,
      numbers: fc.array(single, { maxLength: 4 }),
      lastResort: fc.option(lastResort),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('claim'),
      identity: fc.constantFrom('bob', 'bob', 'carol', 'nobody'),
      claimer: fc.constantFrom('alice', 'mallory'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('deliver'),
      device,
      number: fc.oneof(single, lastResort),
      group,
      keptMinutes: fc.integer({ min: 1, max: 60 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('collect'),
      device,
      number: fc.oneof(single, lastResort),
      group,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('look'), device }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep') }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 20 }) }),
  },
)
export type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** What came of it, for comparing and for the records. */
export async function perform(
  store: DirectoryStore,
  step: Exclude<Operation, { kind: 'wait' }>,
  now: number,
): Promise<unknown> {
  switch (step.kind) {
    case 'publish': {
      const good = (number: number) => keyPackage(step.device, number).expiresAt > now
      const last = step.lastResort
      const added = {
        keyPackages: step.numbers.filter(good).map((number) => keyPackage(step.device, number)),
        lastResort: last === null || !good(last) ? null : keyPackage(step.device, last),
      }
      return await store.publish(step.device, added, limits, now)
    }
    case 'claim': {
      const claimed = await store.claim(step.identity, { identity: step.claimer, rate }, now)
      return claimed
        ?.map(({ ref, expiresAt, ...rest }) => ({
          ref: fromUtf8(ref),
          live: expiresAt > now,
          deviceKey: fromUtf8(rest.deviceKey),
          keyPackage: fromUtf8(rest.keyPackage),
          stock: rest.stock,
        }))
        .toSorted((a, b) => ((a.ref ?? '') < (b.ref ?? '') ? -1 : 1))
    }
    case 'deliver': {
      const { ref } = keyPackage(step.device, step.number)
      const groupId = utf8(step.group)
      const mail = { meetingId: 'm', groupId, ref, welcome: utf8(`for ${step.number}`), seq: 1 }
      const expiresAt = now + step.keptMinutes * minute
      return await store.deliver(step.device, mail, expiresAt, limits, now)
    }
    case 'collect': {
      const { ref } = keyPackage(step.device, step.number)
      return await store.collect(step.device, { groupId: utf8(step.group), ref })
    }
    case 'look': {
      const mail = await store.mailbox(step.device, now)
      return { mail, stock: await store.stock(step.device, now) }
    }
    case 'sweep':
      return await store.sweep(now)
  }
}

export const minutes = (count: number): number => count * minute
