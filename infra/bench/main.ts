import { type Arguments, readArguments, usage } from './arguments.ts'
import { BenchError } from './benchError.ts'
import { type Measured, runBenchmark } from './benchmark.ts'
import { contestantsInNode } from './contestants.ts'
import { describeRun } from './machine.ts'
import { jsonReport, markdownReport, tableReport } from './report.ts'

const reports = { table: tableReport, json: jsonReport, markdown: markdownReport }

try {
  const [bench, ...others] = process.argv.slice(2)
  if (bench === 'keyserver') {
    const { keyserverMain } = await import('./keyserver/keyserverMain.ts')
    await keyserverMain(others)
  } else if (bench === 'sframe') {
    const { sframeMain } = await import('./sframe/sframeMain.ts')
    await sframeMain(others)
  } else {
    await mlsMain()
  }
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  console.error(`✗ ${error.code}: ${error.message}`)
  if (error.code === 'bench-arguments-wrong') console.error('\nSee --help.')
  process.exitCode = error.code === 'bench-arguments-wrong' ? 2 : 1
}

async function mlsMain(): Promise<void> {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted === undefined) {
    console.log(usage)
  } else {
    // While it takes its time, somebody may commit.
    const run = describeRun(wanted)
    const { measured, versions } = await measureOn(wanted)
    const measuredRun = { ...run, versions: { ...run.versions, ...versions } }
    console.log(reports[wanted.format](measuredRun, measured))
  }
}

async function measureOn({ platform, versus, ...workload }: Arguments): Promise<{
  measured: Measured
  versions: Readonly<Record<string, string>>
}> {
  const progress = (line: string) => console.error(line)
  if (platform === 'chromium') {
    const { runInChromium } = await import('./chromium/runInChromium.ts')
    const { measured, version } = await runInChromium(workload, progress)
    return { measured, versions: { chromium: version } }
  }
  const contestants = await contestantsInNode(platform, versus)
  return { measured: await runBenchmark(workload, contestants, progress), versions: {} }
}
