import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'vitest'

/**
 * Test vectors stay outside the repository: in the folder that CONCLAVE_VECTORS names, else in
 * `shared/vectors` beside the checkout.
 */
const folder =
  process.env['CONCLAVE_VECTORS'] ||
  fileURLToPath(new URL('../../../shared/vectors', import.meta.url))

const sources = new Map([
  ['mls', 'https://github.com/mlswg/mls-implementations, folder test-vectors'],
  ['sframe', 'https://github.com/sframe-wg/sframe, test-vectors/test-vectors.json'],
])

/**
 * A parsed vector file, such as `mls/tree-math.json`. Where it is missing: an error under
 * continuous integration, elsewhere undefined after saying how to get it.
 */
export function loadVector<T>(name: string): T | undefined {
  const text = vectorText(name)
  return text === undefined ? undefined : (JSON.parse(text) as T)
}

/** The text of a vector file, for one with numbers that a JavaScript number cannot hold. */
export function vectorText(name: string): string | undefined {
  const path = `${folder}/${name}`
  if (existsSync(path)) return readFileSync(path, 'utf8')
  if (isContinuousIntegration()) throw new Error(howToGet(name))
  console.warn(howToGet(name))
  return undefined
}

/** A group of tests over a vector file; without the file one skipped test that says how to get it. */
export function describeVector<T>(name: string, tests: (vector: T) => void): void {
  const vector = loadVector<T>(name)
  describe(name, () => {
    if (vector === undefined) it('needs its vector file', ({ skip }) => skip(howToGet(name)))
    else tests(vector)
  })
}

function isContinuousIntegration(): boolean {
  const ci = process.env['CI']
  return ci !== undefined && ci !== '' && ci !== 'false' && ci !== '0'
}

function howToGet(name: string): string {
  const [group = ''] = name.split('/')
  return `${folder}/${name} is missing. It comes from ${sources.get(group)}; put it there, or let CONCLAVE_VECTORS name the folder that holds ${name}.`
}
