import { describe, expect, test } from 'vitest'
import { line } from '../conformance/report.ts'
import { checks, runSuite } from '../conformance/suite.ts'
import { keyserver, targetAt } from './conformance/keyservers.ts'
import { relay } from './conformance/relay.ts'

/** A ceiling for a loaded machine. */
const patienceMs = 15_000

describe('a good keyserver', () => {
  test('passes every check', async () => {
    const { url } = await keyserver()
    const results = await runSuite(targetAt([url], patienceMs), checks)
    const wrong = results.filter(({ outcome }) => outcome !== 'passed').map(line)
    expect(wrong).toEqual([])
  })

  test('passes every check through a relay that changes nothing', async () => {
    const { url } = await keyserver()
    const results = await runSuite(targetAt([await relay(url)], patienceMs), checks)
    const wrong = results.filter(({ outcome }) => outcome !== 'passed').map(line)
    expect(wrong).toEqual([])
  })
})
