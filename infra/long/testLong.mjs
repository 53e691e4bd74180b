import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { environmentFor, modernNode } from '../entry/nodeRuntime.mjs'
import { repository } from '../entry/repository.mjs'
import { runMain, SetupError } from '../entry/setupError.mjs'
import { readArguments, usage } from './arguments.mjs'
import { runCampaign } from './campaign.mjs'
import { campaigns } from './campaigns/index.mjs'
import { evidenceFile, provenance, record } from './evidence.mjs'
import { runInLanes } from './lanes.mjs'

/** How often a campaign that prints nothing says that it is still there, in milliseconds. */
const signOfLifeMs = 60_000

/** `npm run test:long`: gathers evidence that takes too long for `npm test`. */
await runMain(async () => {
  const asked = readArguments(process.argv.slice(2), campaigns)
  if (asked === undefined) {
    console.log(usage(campaigns))
    return 0
  }
  if (!existsSync(join(repository, 'node_modules', 'vitest'))) {
    throw new SetupError('dependencies-missing', 'nothing is installed', {
      remedy: 'npm test installs what tests need',
    })
  }
  const node = modernNode()
  const prepared = { node, env: environmentFor(node) }
  let evidence
  let failed = 0
  let recorded = Promise.resolve()
  await runInLanes(asked.chosen, async (campaign) => {
    const { name, shows, runs } = campaign
    // Where it comes from is asked first: the sources may change while it runs.
    const source = await provenance(node)
    console.error(`▸ ${name}: ${runs} runs from seed ${asked.seed}`)
    const result = await watched(name, prepared, campaign, asked.seed)
    // One after the other: each writes the whole file.
    recorded = recorded.then(async () => {
      evidence = await record(evidenceFile, name, { shows, ...source, ...result })
    })
    await recorded
    const { outcome, seconds, counts } = result
    const mark = outcome === 'passed' ? '✓' : '✗'
    const tests = `${counts.passed} tests passed, ${counts.failed} failed`
    console.error(`${mark} ${name} ${outcome}, ${tests} · ${seconds} s`)
    if (outcome !== 'passed') failed++
  })
  if (asked.json) console.log(JSON.stringify(evidence, null, 2))
  return failed === 0 ? 0 : 1
})

/**
 * Runs a campaign, showing what Vitest prints and that it is still running.
 *
 * @param {string} name
 * @param {import('../entry/prepare.mjs').Prepared} prepared
 * @param {import('./campaign.mjs').Campaign} campaign
 * @param {number} seed
 */
async function watched(name, prepared, campaign, seed) {
  const started = Date.now()
  const minutes = () => Math.round((Date.now() - started) / 60_000)
  const alive = setInterval(() => {
    console.error(`… ${name}: ${minutes()} of at most ${campaign.limitMinutes} min`)
  }, signOfLifeMs)
  try {
    return await runCampaign(prepared, campaign, seed, (line) => console.error(`${name}: ${line}`))
  } finally {
    clearInterval(alive)
  }
}
