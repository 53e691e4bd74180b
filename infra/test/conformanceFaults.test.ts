import { describe, expect, test } from 'vitest'
import { chosen } from '../conformance/arguments.ts'
import { line } from '../conformance/report.ts'
import { checks, runSuite } from '../conformance/suite.ts'
import { faults } from './conformance/faults.ts'
import { keyserver, targetAt, token } from './conformance/keyservers.ts'
import { relay } from './conformance/relay.ts'

describe('a keyserver that', () => {
  /** What is withheld is waited for in vain. */
  const patienceMs = 2000

  test.each(faults)('$name fails the checks that look there', async (planted) => {
    const { url } = await keyserver(planted.options)
    const forEveryMeeting = await token({ identity: 'anybody', meeting: '*' })
    const faulty = await relay(url, planted.plant({ forEveryMeeting }))
    const looking = chosen(checks, planted.looking)
    const results = await runSuite(targetAt([faulty], patienceMs), looking)
    const outcomes = results.map(({ id, outcome }) => `${id} ${outcome}`)
    const expected = looking.map(
      ({ id }) => `${id} ${planted.fail.includes(id) ? 'failed' : 'passed'}`,
    )
    expect(outcomes, results.map(line).join('\n')).toEqual(expected)
    expect(planted.fail.filter((id) => !looking.some((check) => check.id === id))).toEqual([])
  })
})
