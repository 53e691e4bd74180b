/**
 * Reads as much of a Dockerfile as ours use.
 *
 * @typedef {{ keyword: string, text: string }} Instruction
 * @typedef {{ name: string, base: string, instructions: readonly Instruction[] }} Stage
 * @typedef {{ from: string | undefined, sources: readonly string[], target: string }} Copy
 */

/**
 * The stages in order; the last one is the image.
 *
 * @param {string} text
 * @returns {Stage[]}
 */
export function stagesOf(text) {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
  /** @type {{ name: string, base: string, instructions: Instruction[] }[]} */
  const stages = []
  for (const line of lines) {
    const [keyword = '', ...words] = line.split(' ')
    if (keyword === 'FROM') {
      const [base = '', , name = ''] = words
      stages.push({ name, base, instructions: [] })
    } else {
      stages.at(-1)?.instructions.push({ keyword, text: words.join(' ') })
    }
  }
  return stages
}

/**
 * A stage's instructions after those of the stages it starts from.
 *
 * @param {readonly Stage[]} stages
 * @param {Stage} stage
 * @returns {Instruction[]}
 */
export function allInstructions(stages, stage) {
  const base = stages.find(({ name }) => name !== '' && name === stage.base)
  const inherited = base === undefined ? [] : allInstructions(stages, base)
  return [...inherited, ...stage.instructions]
}

/**
 * @param {readonly Instruction[]} instructions
 * @returns {Copy[]}
 */
export function copiesOf(instructions) {
  return textsOf(instructions, 'COPY').map((text) => {
    const words = text.split(' ')
    const from = words[0]?.startsWith('--from=')
      ? words.shift()?.slice('--from='.length)
      : undefined
    return { from, sources: words.slice(0, -1), target: words.at(-1) ?? '' }
  })
}

/**
 * The texts behind one keyword.
 *
 * @param {readonly Instruction[]} instructions
 * @param {string} keyword
 */
export function textsOf(instructions, keyword) {
  return instructions.filter((one) => one.keyword === keyword).map(({ text }) => text)
}

/**
 * What CMD or HEALTHCHECK run: ours use the form without a shell.
 *
 * @param {readonly Instruction[]} instructions
 * @param {'CMD' | 'HEALTHCHECK'} keyword
 * @returns {string[]}
 */
export function commandOf(instructions, keyword) {
  const text = textsOf(instructions, keyword).at(-1) ?? '[]'
  return JSON.parse(text.slice(text.indexOf('[')))
}

/**
 * The variables that ENV sets.
 *
 * @param {readonly Instruction[]} instructions
 * @returns {Record<string, string>}
 */
export function environmentOf(instructions) {
  const pairs = textsOf(instructions, 'ENV').flatMap((text) => text.split(' '))
  return Object.fromEntries(
    pairs.map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)]),
  )
}
