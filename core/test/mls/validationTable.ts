/** One row of VALIDATION.md; `check` is empty for what is beyond the list of checks. */
export interface TableRow {
  readonly check: string
  readonly rule: string
  readonly codes: readonly string[]
  readonly tests: readonly { readonly file: string; readonly titles: readonly string[] }[]
}

/** The rows of all its tables. The last column names the tests, the one before it the codes. */
export function tableRows(document: string): readonly TableRow[] {
  return document
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first !== 'check' && first !== 'rule' && first !== 'trap')
    .map((cells) => {
      const [first = '', second = ''] = cells
      const isCheck = /^valn\d{4}$/.test(first)
      return {
        check: isCheck ? first : '',
        rule: isCheck ? second : first,
        codes: cells.length < 4 ? [] : quotedIn(cells.at(-2) ?? ''),
        tests: (cells.at(-1) ?? '')
          .split('<br>')
          .filter((name) => name !== '')
          .map((name) => {
            const [file = '', ...title] = name.split(' › ')
            return { file: `${file}.test.ts`, titles: title.join(' › ').split(' … ') }
          }),
      }
    })
}

function quotedIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/**
 * What is wrong with the table: checks that it has not or has twice, rows without a rule or a test,
 * tests that there are not, and codes that none of a row's tests names.
 * @param checks every check that must have a row, and no other may
 * @param sources the test files by name
 */
export function problemsOf(
  rows: readonly TableRow[],
  checks: readonly string[],
  sources: ReadonlyMap<string, string>,
): readonly string[] {
  const counted = rows.filter(({ check }) => check !== '').map(({ check }) => check)
  return [
    ...checks
      .map((check) => ({ check, times: counted.filter((other) => other === check).length }))
      .filter(({ times }) => times !== 1)
      .map(({ check, times }) => `${check} has ${times} rows`),
    ...counted.filter((check) => !checks.includes(check)).map((check) => `${check} is no check`),
    ...rows.flatMap((row) => problemsOfRow(row, sources)),
  ]
}

function problemsOfRow(
  { check, rule, codes, tests }: TableRow,
  sources: ReadonlyMap<string, string>,
): readonly string[] {
  const name = check || rule
  const texts = tests.map(({ file }) => sources.get(file) ?? '')
  const problems = tests.flatMap(({ file, titles }, i) =>
    texts[i] === ''
      ? [`${name}: no file ${file}`]
      : titles
          .filter((title) => title === '' || !isQuoted(texts[i] ?? '', title))
          .map((title) => `${name}: ${file} has no test "${title}"`),
  )
  if (rule === '') problems.push(`${name} says no rule`)
  if (tests.length === 0) problems.push(`${name} has no test`)
  if (check !== '' && codes.length > 0 && !texts.some((text) => text.includes(check))) {
    problems.push(`${name}: no test mentions it`)
  }
  for (const code of codes) {
    if (!texts.some((text) => isQuoted(text, code)))
      problems.push(`${name}: no test asserts ${code}`)
  }
  return problems
}

/** As a string of its own. */
function isQuoted(text: string, part: string): boolean {
  return [`'${part}'`, `"${part}"`, `\`${part}\``].some((quoted) => text.includes(quoted))
}
