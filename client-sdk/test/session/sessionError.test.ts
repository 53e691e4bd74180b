import { describe, expect, it } from 'vitest'
import { isTransient, refusal, SessionError } from '../../src/session/sessionError.ts'

const refused = (code: Parameters<typeof refusal>[0]['code'], detail?: string) =>
  refusal({ ok: false, code, message: 'no', ...(detail !== undefined && { detail }) })

describe('a refusal', () => {
  it.each([
    ['rate-limited', undefined],
    ['rate-limited', 'epoch-full'],
    ['rate-limited', 'commit-too-often'],
    ['unavailable', undefined],
    ['not-entered', undefined],
  ] as const)('for the time being is %s, whatever the detail: %s', (code, detail) => {
    expect(isTransient(refused(code, detail))).toBe(true)
  })

  it.each([
    ['message-invalid', undefined],
    ['message-invalid', 'internal'],
    ['not-permitted', 'rate-limited'],
  ] as const)('for good is %s, whatever the detail: %s', (code, detail) => {
    expect(isTransient(refused(code, detail))).toBe(false)
  })

  it('tells the application the rule, or the code where there is none', () => {
    expect(refused('rate-limited', 'epoch-full')).toMatchObject({
      code: 'keyserver-refused',
      detail: 'epoch-full',
      refusal: 'rate-limited',
    })
    expect(refused('rate-limited').detail).toBe('rate-limited')
    expect(new SessionError('session-ended', 'over').refusal).toBeUndefined()
  })
})
