import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { describeVector } from '../vectors.ts'
import { problemsOf, type TableRow, tableRows } from './validationTable.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const document = readFileSync(`${here}../../VALIDATION.md`, 'utf8')
const errorCodes = readFileSync(`${here}../../src/mls/mlsError.ts`, 'utf8')
const sources = new Map(
  readdirSync(here)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => [file, readFileSync(`${here}${file}`, 'utf8')]),
)
const rows = tableRows(document)
const ownChecks = rows.map(({ check }) => check).filter((check) => check !== '')

describe('VALIDATION.md', () => {
  it('names tests that there are, and codes that they assert', () => {
    expect(problemsOf(rows, ownChecks, sources)).toEqual([])
    expect(rows.length).toBeGreaterThan(100)
  })

  it('leaves a code out only where nothing can offend', () => {
    const without = rows.filter(({ check, codes }) => check !== '' && codes.length === 0)
    expect(without.map(({ check }) => check)).toEqual(['valn0403'])
  })

  it.each<[string, (row: TableRow) => TableRow, string]>([
    [
      'a test that was renamed',
      (row) => ({ ...row, tests: [{ file: row.tests[0]?.file ?? '', titles: ['gone'] }] }),
      'has no test "gone"',
    ],
    [
      'a title that was left out',
      (row) => ({ ...row, tests: row.tests.map((test) => ({ ...test, titles: [''] })) }),
      'has no test ""',
    ],
    [
      'a file that was moved',
      (row) => ({ ...row, tests: [{ file: 'gone.test.ts', titles: ['x'] }] }),
      'no file gone.test.ts',
    ],
    ['a row without tests', (row) => ({ ...row, tests: [] }), 'has no test'],
    ['a row without a rule', (row) => ({ ...row, rule: '' }), 'says no rule'],
    [
      'a code that no test asserts',
      (row) => ({ ...row, codes: ['leaf-left'] }),
      'no test asserts leaf-left',
    ],
    ['a check that is none', (row) => ({ ...row, check: 'valn9999' }), 'valn9999 is no check'],
    ['a check that stands twice', (row) => ({ ...row, check: 'valn0102' }), 'valn0102 has 2 rows'],
    ['a check that is missing', (row) => ({ ...row, check: '' }), 'valn0101 has 0 rows'],
  ])('would not hide %s', (_, plant, problem) => {
    const planted = rows.map((row, i) => (i === 0 ? plant(row) : row))
    expect(problemsOf(planted, ownChecks, sources).join('\n')).toContain(problem)
  })
})

describeVector<readonly string[]>(
  'mls/validation-checks.txt',
  (checks) => {
    it('has a row for each of its checks in VALIDATION.md', () => {
      expect(checks).toHaveLength(85)
      expect(problemsOf(rows, checks, sources)).toEqual([])
    })
  },
  (text) => [...text.matchAll(/^(valn\d{4}) /gm)].map(([, check = '']) => check),
)

it('every code of an MlsError is asserted by some test', () => {
  const codes = [...errorCodes.matchAll(/\| '([a-z-]+)'/g)].map(([, code = '']) => code)
  expect(codes.length).toBeGreaterThan(80)
  const tests = [...allTests(fileURLToPath(new URL('..', import.meta.url)))].join('\n')
  expect(codes.filter((code) => !tests.includes(`'${code}'`))).toEqual([])
})

function* allTests(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name.endsWith('.test.ts')) {
      yield readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8')
    }
  }
}
