import { ConclaveError } from '@conclave/core'
import { type Arguments, chosen, readArguments, usage } from './arguments.ts'
import { jsonReport, line, summary } from './report.ts'
import { checks, runSuite } from './suite.ts'
import { tokensFor } from './tokens.ts'

const tokensOf = { development: 'usual', token: 'fixed', secret: 'any' } as const

try {
  const wanted = readArguments(process.argv.slice(2), process.env)
  // Connections that a check has given up are not waited for.
  process.exit(wanted === undefined ? help() : await conformance(wanted))
} catch (error) {
  if (!(error instanceof ConclaveError)) throw error
  console.error(`✗ ${error.code}: ${error.message}`)
  if (error.remedy !== undefined) console.error(error.remedy)
  if (error.code === 'conformance-arguments-wrong') console.error(`\n${usage}`)
  process.exit(2)
}

function help(): number {
  console.log(usage)
  return 0
}

async function conformance(wanted: Arguments): Promise<number> {
  const run = chosen(checks, wanted.only)
  if (wanted.list) {
    for (const { id, promise, section } of run) console.log(`${id}: ${promise} (${section})`)
    return 0
  }
  const token = tokensFor(wanted)
  // Whether there are tokens at all is no matter of the protocol.
  await token({ identity: 'conformance', meeting: '*' })
  const target = { ...wanted, token, tokens: tokensOf[wanted.access.kind] }
  const results = await runSuite(target, run, (result) => console.error(line(result)))
  console.log(wanted.json ? jsonReport(results) : summary(results))
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0
}
