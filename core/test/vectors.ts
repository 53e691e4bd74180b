import { describe, it } from 'vitest'
import { readVectorFile, type VectorFile } from './vectorFiles.ts'

const sources = new Map([
  ['mls', 'https://github.com/mlswg/mls-implementations, folder test-vectors'],
  ['sframe', 'https://github.com/sframe-wg/sframe, test-vectors/test-vectors.json'],
])

/**
 * A parsed vector file, such as `mls/tree-math.json`. Where it is missing: an error under
 * continuous integration, elsewhere undefined after saying how to get it.
 */
export function loadVector<T>(name: string): T | undefined {
  const file = vectorFile(name)
  return file.text === undefined ? undefined : (JSON.parse(file.text) as T)
}

/**
 * A group of tests over a vector file; without the file one skipped test that says how to get it.
 * `parse` is for a file with numbers that a JavaScript number cannot hold.
 */
export function describeVector<T>(
  name: string,
  tests: (vector: T) => void,
  parse: (text: string) => T = JSON.parse,
): void {
  const file = vectorFile(name)
  describe(name, () => {
    if (file.text === undefined)
      it('needs its vector file', ({ skip }) => skip(howToGet(name, file)))
    else tests(parse(file.text))
  })
}

function vectorFile(name: string): VectorFile {
  const file = readVectorFile(name)
  if (file.text === undefined) {
    if (file.required) throw new Error(howToGet(name, file))
    console.warn(howToGet(name, file))
  }
  return file
}

function howToGet(name: string, { path }: VectorFile): string {
  const [group = ''] = name.split('/')
  return `${path} is missing. It comes from ${sources.get(group)}; put it there, or let CONCLAVE_VECTORS name the folder that holds ${name}.`
}
