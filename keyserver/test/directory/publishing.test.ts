import type { AccessClaims } from '@conclave/core/access'
import { type Bytes, toHex, utf8 } from '@conclave/core/codec'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import {
  maxKeyPackageBytes,
  packKeyPackages,
  type ServerNotices,
  unpackKeyPackages,
} from '@conclave/core/delivery'
import { pino } from 'pino'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { createDirectory, type Directory } from '../../src/directory/createDirectory.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { encodeKeyPackage, TestDevice } from './testDevice.ts'

const day = 24 * 60 * 60
const minute = 60_000

let clock: VirtualClock
let directory: Directory
let notices: (ServerNotices['stockLow'] & { readonly identity: string })[]
let phone: TestDevice

beforeEach(async () => {
  clock = new VirtualClock()
  notices = []
  directory = createDirectory({
    store: memoryDirectory(),
    crypto: nodePublicCrypto(),
    clock,
    logger: pino({ level: 'silent' }),
    notify: {
      stockLow: (identity, notice) => notices.push({ identity, ...notice }),
      mail: () => {},
    },
    limits: { keyPackagesPerDevice: 8, devicesPerIdentity: 2, publishesPerMinute: 3 },
  })
  phone = await TestDevice.make('bob', clock)
})

function claimsOf(identity: string): AccessClaims {
  const grants = { join: true, invite: true }
  return { identity, meeting: '*', grants, expiresAt: clock.now() + 60 * minute }
}

const publish = (
  keyPackages: readonly Bytes[],
  lastResort: Bytes | null = null,
  identity = 'bob',
) => {
  const request = { keyPackages: packKeyPackages(keyPackages), lastResort }
  return directory.handlers.publish(claimsOf(identity), request)
}
const stock = (device = phone) =>
  directory.handlers.stock(claimsOf(device.identity), { deviceKey: device.deviceKey })
const claim = async (identity = 'bob', by = 'alice') => {
  const reply = await directory.handlers.claim(claimsOf(by), { identity })
  if (!reply.ok) throw new Error(reply.code)
  return unpackKeyPackages(reply.keyPackages).map(toHex)
}
const one = async (changes: Parameters<TestDevice['keyPackage']>[0]) =>
  (await phone.keyPackage(changes)).encoded

describe('publishing', () => {
  test('puts good KeyPackages into the directory, to be claimed as they are', async () => {
    const keyPackages = await phone.keyPackages(2)
    const lastResort = await one({ lastResort: true })
    const left = { ok: true, remaining: 2, lastResort: true }
    expect(await publish(keyPackages, lastResort)).toEqual(left)
    expect(await stock()).toEqual(left)
    const [first, second] = keyPackages.map(toHex)
    expect(await claim()).toEqual([first])
    expect(await claim()).toEqual([second])
    expect(await claim()).toEqual([toHex(lastResort)])
    expect(await claim()).toEqual([toHex(lastResort)])
  })

  test('takes a KeyPackage of ninety days and one of an hour', async () => {
    const keyPackages = [await one({ validFor: 90 * day }), await one({ validFor: 3600 })]
    expect(await publish(keyPackages)).toMatchObject({ ok: true, remaining: 2 })
  })

  test('of the same KeyPackage again changes nothing', async () => {
    const keyPackages = await phone.keyPackages(2)
    await publish(keyPackages)
    await claim()
    expect(await publish(keyPackages)).toMatchObject({ ok: true, remaining: 1 })
  })

  const flipped = (bytes: Bytes): Bytes => {
    const changed = bytes.slice()
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
    return changed
  }
  const ofSuite = async (cipherSuite: number) => {
    const { bundle } = await phone.keyPackage()
    return encodeKeyPackage({ ...bundle.keyPackage, cipherSuite })
  }
  const ofLeafSource = async () => {
    const { keyPackage } = (await phone.keyPackage()).bundle
    return encodeKeyPackage({
      ...keyPackage,
      leafNode: { ...keyPackage.leafNode, leafNodeSource: 2 },
    })
  }
  const somebody = async (identity: string) => {
    const device = await TestDevice.make(identity, clock)
    return (await device.keyPackage()).encoded
  }
  const bad: readonly (readonly [string, string, () => Promise<Bytes>])[] = [
    ['is no MLSMessage', 'codec-truncated', async () => utf8('k')],
    ['is of an unknown cipher suite', 'key-package-suite-unsupported', () => ofSuite(0x0f00)],
    ['is of another cipher suite than its leaf', 'leaf-key-invalid', () => ofSuite(2)],
    ['is not from a KeyPackage', 'leaf-source-wrong', ofLeafSource],
    ['has a bad signature', 'key-package-signature-invalid', async () => flipped(await one({}))],
    ['is of another identity', 'key-package-identity-mismatch', () => somebody('carol')],
    [
      'is of an identity that only looks alike',
      'key-package-identity-mismatch',
      () => somebody('bob '),
    ],
    [
      'has a credential that nobody can check yet',
      'member-credential-unsupported',
      () => one({ credential: { credentialType: 2, certificates: [{ certData: utf8('bob') }] } }),
    ],
    [
      'is certified for one meeting',
      'member-extension-invalid',
      () => one({ certifiedFor: 'standup' }),
    ],
    ['cannot follow a meeting', 'leaf-capabilities-insufficient', () => one({ proposals: [] })],
    ['has expired', 'leaf-lifetime-expired', () => one({ validFor: -1 })],
    ['is not valid yet', 'leaf-lifetime-expired', () => one({ validFrom: 60 })],
    ['is over too soon', 'key-package-lifetime-too-short', () => one({ validFor: 3599 })],
    [
      'is valid for too long',
      'key-package-lifetime-too-long',
      () => one({ validFor: 90 * day + 1 }),
    ],
    [
      'is a last resort among others',
      'key-package-last-resort-mismatch',
      () => one({ lastResort: true }),
    ],
  ]
  test.each(bad)(
    'of a KeyPackage that %s is refused (%s), and nothing is kept',
    async (_, detail, make) => {
      const good = await one({})
      expect(await publish([good, await make()])).toMatchObject({
        ok: false,
        code: 'key-package-invalid',
        detail,
      })
      expect(await stock()).toEqual({ ok: true, remaining: 0, lastResort: false })
    },
  )

  test('of a last resort without the mark is refused', async () => {
    expect(await publish([], await one({}))).toMatchObject({
      code: 'key-package-invalid',
      detail: 'key-package-last-resort-mismatch',
    })
  })

  test("of two devices' KeyPackages at once is refused", async () => {
    const laptop = await TestDevice.make('bob', clock)
    const refused = { code: 'key-package-invalid', detail: 'key-package-device-mismatch' }
    const [mine] = await phone.keyPackages(1)
    const [other] = await laptop.keyPackages(1)
    if (mine === undefined || other === undefined) throw new Error('nothing made')
    expect(await publish([mine, other])).toMatchObject(refused)
    const { encoded } = await laptop.keyPackage({ lastResort: true })
    expect(await publish([mine], encoded)).toMatchObject(refused)
  })

  test('of nothing, or of what is no list, is refused', async () => {
    const malformed = { ok: false, code: 'request-malformed' }
    expect(await publish([])).toMatchObject(malformed)
    const request = { keyPackages: utf8('no list'), lastResort: null }
    expect(await directory.handlers.publish(claimsOf('bob'), request)).toMatchObject(malformed)
  })

  test('of a KeyPackage that is too large is refused', async () => {
    const large = { ok: false, code: 'payload-too-large' }
    expect(await publish([new Uint8Array(maxKeyPackageBytes + 1)])).toMatchObject(large)
    expect(await publish([], new Uint8Array(maxKeyPackageBytes + 1))).toMatchObject(large)
  })

  test('of more than a device or an identity may have is refused', async () => {
    const full = { ok: false, code: 'directory-full' }
    expect(await publish(await phone.keyPackages(9))).toMatchObject(full)
    await publish(await phone.keyPackages(8))
    expect(await publish(await phone.keyPackages(1))).toMatchObject(full)
    clock.advance(minute)
    const [tablet, laptop] = [
      await TestDevice.make('bob', clock),
      await TestDevice.make('bob', clock),
    ]
    expect(await publish(await tablet.keyPackages(1))).toMatchObject({ ok: true })
    expect(await publish(await laptop.keyPackages(1))).toMatchObject(full)
  })

  test('too often is refused before anything is checked, each identity for itself', async () => {
    const garbage = [utf8('garbage')]
    for (let i = 0; i < 3; i += 1) await publish(garbage)
    expect(await publish(await phone.keyPackages(1))).toMatchObject({ code: 'rate-limited' })
    expect(await publish(garbage, null, 'carol')).toMatchObject({ code: 'key-package-invalid' })
    clock.advance(minute / 3)
    expect(await publish(await phone.keyPackages(1))).toMatchObject({ ok: true })
  })
})

describe('claiming', () => {
  test('from somebody unknown gives nothing', async () => {
    expect(await claim('nobody')).toEqual([])
  })

  test('too often is refused: one person cannot empty the stock of another', async () => {
    const limited = createLimited()
    await limited.publish()
    expect(await limited.claim('mallory')).toMatchObject({ ok: true })
    expect(await limited.claim('mallory')).toMatchObject({ code: 'rate-limited' })
    expect(await limited.claim('alice')).toMatchObject({ ok: true })
  })

  function createLimited() {
    const { handlers } = createDirectory({
      store: memoryDirectory(),
      crypto: nodePublicCrypto(),
      clock,
      logger: pino({ level: 'silent' }),
      notify: { stockLow: () => {}, mail: () => {} },
      limits: { claims: { claims: 1, perMs: minute } },
    })
    return {
      publish: async () =>
        handlers.publish(claimsOf('bob'), {
          keyPackages: packKeyPackages(await phone.keyPackages(3)),
          lastResort: null,
        }),
      claim: (by: string) => handlers.claim(claimsOf(by), { identity: 'bob' }),
    }
  }

  test('tells the owner when fewer than five are left, and of each use of a last resort', async () => {
    await publish(await phone.keyPackages(6), await one({ lastResort: true }))
    await claim()
    expect(notices).toEqual([])
    await claim()
    const notice = { identity: 'bob', deviceKey: phone.deviceKey, lastResort: true }
    expect(notices).toEqual([{ ...notice, remaining: 4 }])
    for (let i = 0; i < 5; i += 1) await claim()
    expect(notices.map(({ remaining }) => remaining)).toEqual([4, 3, 2, 1, 0, 0])
  })

  test('skips what is over soon', async () => {
    await publish([await one({ validFor: 3600 }), await one({})])
    clock.advance(50 * minute)
    expect(await stock()).toMatchObject({ remaining: 1 })
  })
})
