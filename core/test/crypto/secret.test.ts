import { format, inspect } from 'node:util'
import { fromHex, toHex } from '@conclave/core/codec'
import { CryptoError } from '@conclave/core/crypto/public'
import { Secret } from '@conclave/core/crypto/secret'
import { describe, expect, it, vi } from 'vitest'

const hex = 'c0ffee11'
const secret = () => new Secret(fromHex(hex))

describe('a secret', () => {
  it('prints as [secret] however it is printed', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    console.log(secret())
    const [printed] = log.mock.calls[0] as [Secret]
    log.mockRestore()
    expect(format(printed)).toBe('[secret]')
    expect(`${secret()}`).toBe('[secret]')
    expect(String(secret())).toBe('[secret]')
    expect(inspect(secret(), { showHidden: true, getters: true, depth: null })).toBe('[secret]')
    expect(format('%s %o %O %j', secret(), secret(), secret(), secret())).toBe(
      '[secret] [secret] [secret] "[secret]"',
    )
  })

  it('stays redacted inside of what is printed, serialised, copied or thrown', () => {
    const state = { epoch: 3, key: secret(), list: [secret()] }
    const error = new CryptoError('crypto-open-failed', 'failed', { cause: state })
    const shown = [
      JSON.stringify(state),
      inspect(state, { showHidden: true, depth: null }),
      inspect(new Map([['key', secret()]])),
      inspect(error, { showHidden: true, depth: null }),
      JSON.stringify(structuredClone({ ...state })),
      JSON.stringify({ ...secret() }),
      JSON.stringify(Object.entries(secret())),
    ].join('\n')
    expect(shown).toContain('[secret]')
    expect(shown).not.toContain(hex)
    // The same bytes as an array's numbers: c0 ff ee 11.
    expect(shown).not.toMatch(/192\D+255\D+238\D+17/)
    expect(shown).not.toMatch(/c0\s+ff\s+ee\s+11/)
  })

  it('shows its bytes only to those who ask for them', () => {
    expect(toHex(secret().expose())).toBe(hex)
    expect(secret()).toHaveLength(4)
    expect(secret().wiped).toBe(false)
  })

  it('equals another with the same bytes', () => {
    expect(secret().equals(secret())).toBe(true)
    expect(secret().equals(new Secret(fromHex('c0ffee12')))).toBe(false)
    expect(secret().equals(new Secret(fromHex('c0ffee')))).toBe(false)
  })

  it('once wiped throws at every use', () => {
    const wiped = secret()
    const bytes = wiped.expose()
    wiped.wipe()
    expect(wiped.wiped).toBe(true)
    expect(toHex(bytes)).toBe('00000000')
    const failure = expect.objectContaining({ name: 'CryptoError', code: 'crypto-secret-wiped' })
    expect(() => wiped.expose()).toThrow(failure)
    expect(() => wiped.length).toThrow(failure)
    expect(() => wiped.copy()).toThrow(failure)
    expect(() => wiped.equals(secret())).toThrow(failure)
    expect(() => secret().equals(wiped)).toThrow(failure)
    expect(`${wiped} ${inspect(wiped)} ${JSON.stringify(wiped)}`).toBe(
      '[secret] [secret] "[secret]"',
    )
  })

  it('may be wiped twice', () => {
    const wiped = secret()
    wiped.wipe()
    expect(() => wiped.wipe()).not.toThrow()
  })

  it.each([
    ['an array', () => fromHex(hex)],
    ['a Node Buffer', () => Buffer.from(hex, 'hex')],
  ])('copied from %s outlives the original', (_, bytes) => {
    const original = new Secret(bytes())
    const copy = original.copy()
    original.wipe()
    expect(toHex(copy.expose())).toBe(hex)
    expect(copy.expose().constructor).toBe(Uint8Array)
  })
})
