import { toHex } from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SessionError } from '../../src/index.ts'
import { digitsOf } from '../../src/session/digits.ts'
import { compareSafetyCodes, type SafetyCode, safetyCodeOf } from '../../src/session/safetyCode.ts'
import { Gathering, meetingId } from './support/people.ts'

/** The `code` of what comparing throws. */
function refusalOf(own: SafetyCode, scanned: string): string {
  try {
    return `no refusal: ${compareSafetyCodes(own, scanned)}`
  } catch (error) {
    return (error as SessionError).code
  }
}

describe('the digits of the safety code', () => {
  it('are thirty that depend on the first thirty bytes', () => {
    const authenticator = Uint8Array.from({ length: 32 }, (_, i) => 7 * i)
    const digits = digitsOf(authenticator)
    expect(digits).toMatch(/^\d{5}( \d{5}){5}$/)
    for (let i = 0; i < 30; i++) {
      const changed = authenticator.slice()
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(digitsOf(changed)).not.toBe(digits)
    }
  })

  it('are the remainder of each forty bits, with leading zeros', () => {
    const authenticator = new Uint8Array(32)
    authenticator[4] = 7
    authenticator.set([0, 0, 1, 0x86, 0xa1], 5) // 100 001
    authenticator.set([255, 255, 255, 255, 255], 25) // 2^40 − 1 = 1 099 511 627 775
    expect(digitsOf(authenticator)).toBe('00007 00001 00000 00000 00000 27775')
  })

  it('are the same for all members and change with the epoch', async () => {
    const gathering = await Gathering.of(3)
    const codes = gathering.groups.map((group) => safetyCodeOf(group, meetingId).digits)
    expect(new Set(codes).size).toBe(1)
    await gathering.add(1)
    expect(safetyCodeOf(gathering.group(0), meetingId).digits).not.toBe(codes[0])
  })
})

describe('the QR data of the safety code', () => {
  it('fits QR’s alphanumeric mode and does not tell the meeting’s name', async () => {
    const gathering = await Gathering.of(1)
    const { qr, epoch } = safetyCodeOf(gathering.group(0), meetingId)
    expect(epoch).toBe(0n)
    expect(qr).toMatch(/^[0-9A-Z:]{200,250}$/)
    expect(qr.toLowerCase()).not.toContain(toHex(new TextEncoder().encode(meetingId)))
  })

  it('has its length whatever the group’s id is', async () => {
    const group = (await Gathering.of(1)).group(0)
    const { epoch, public: state, epochAuthenticator } = group
    const groupId = new Uint8Array(100_000)
    const long = { groupId, epoch, public: state, epochAuthenticator } as typeof group
    const code = safetyCodeOf(long, meetingId)
    expect(code.qr).toHaveLength(safetyCodeOf(group, meetingId).qr.length)
    expect(compareSafetyCodes(safetyCodeOf(group, meetingId), code.qr)).toBe('different')
  })

  it('is the same between members of one epoch', async () => {
    const gathering = await Gathering.of(2)
    const [alice, bob] = gathering.groups.map((group) => safetyCodeOf(group, meetingId))
    expect(compareSafetyCodes(alice as SafetyCode, (bob as SafetyCode).qr)).toBe('same')
  })

  it('tells another epoch, another meeting and another group of the same meeting', async () => {
    const gathering = await Gathering.of(2)
    const code = safetyCodeOf(gathering.group(0), meetingId)
    const retro = safetyCodeOf(gathering.group(0), 'retro')
    const split = safetyCodeOf((await Gathering.of(2)).group(0), meetingId)
    await gathering.add(1)
    const next = safetyCodeOf(gathering.group(0), meetingId)
    expect(compareSafetyCodes(code, next.qr)).toBe('other-epoch')
    expect(compareSafetyCodes(code, retro.qr)).toBe('other-meeting')
    expect(compareSafetyCodes(code, split.qr)).toBe('different')
  })

  it('finds every other authenticator different', async () => {
    const gathering = await Gathering.of(1)
    const group = gathering.group(0)
    const { groupId, epoch, public: state } = group
    const code = safetyCodeOf(group, meetingId)
    const other = (epochAuthenticator: typeof group.epochAuthenticator) =>
      safetyCodeOf({ groupId, epoch, public: state, epochAuthenticator } as typeof group, meetingId)
    for (let i = 0; i < 32; i++) {
      const changed = group.epochAuthenticator.slice()
      changed[i] = (changed[i] ?? 0) ^ 0x80
      expect(compareSafetyCodes(code, other(changed).qr)).toBe('different')
    }
    const shortened = group.epochAuthenticator.slice(0, 16)
    expect(compareSafetyCodes(code, other(shortened).qr)).toBe('different')
  })

  it('is nothing else that is scanned', async () => {
    const gathering = await Gathering.of(1)
    const code = safetyCodeOf(gathering.group(0), meetingId)
    const { qr } = code
    const damaged = [
      '',
      'https://example.org/',
      qr.toLowerCase(),
      qr.slice(0, -1),
      qr.slice(0, -2),
      `${qr}00`,
      qr.replace('CONCLAVE:1:', 'CONCLAVE:2:'),
      ` ${qr}`,
      'CONCLAVE:1:',
      qr.replace('CONCLAVE:1:', 'CONCLAVE:01:'),
      `CONCLAVE:1:${'00'.repeat(1_000_000)}`,
    ]
    expect(damaged.map((each) => refusalOf(code, each))).toEqual(
      damaged.map(() => 'safety-code-invalid'),
    )
  })

  it('never passes for the same once anything in it is changed', async () => {
    const gathering = await Gathering.of(1)
    const code = safetyCodeOf(gathering.group(0), meetingId)
    const characters = [...code.qr]
    fc.assert(
      fc.property(
        fc.nat(characters.length - 1),
        fc.constantFrom(...'0123456789ABCDEF:X'),
        (at, character) => {
          fc.pre(characters[at] !== character)
          const result = refusalOf(code, characters.with(at, character).join(''))
          expect(result).not.toContain('same')
        },
      ),
    )
  })
})
