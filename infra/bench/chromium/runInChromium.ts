import { resolve } from 'node:path'
import { repository } from '../../entry/repository.mjs'
import { BenchError } from '../benchError.ts'
import type { Measured, Workload } from '../benchmark.ts'
import { benchScript, openBenchPage } from './browser.ts'
import { fromPlain } from './outcome.ts'

/**
 * Measures core with WebCrypto in the system's Chromium, beside the floor there.
 * @throws BenchError `bench-chromium-missing`, and what `runBenchmark` throws
 */
export async function runInChromium(
  workload: Workload,
  progress: (line: string) => void,
): Promise<{ measured: Measured; version: string }> {
  const entry = resolve(repository, 'infra', 'bench', 'chromium', 'page.ts')
  const { browser, page } = await openBenchPage(entry, html, progress)
  try {
    const outcome = await page.evaluate(
      (wanted) => {
        const { bench, progress } = globalThis as unknown as PageGlobals
        return bench.runInPage(wanted, progress)
      },
      { ...workload, only: [...workload.only] },
    )
    if ('measured' in outcome) {
      return { measured: fromPlain(outcome.measured), version: browser.version() }
    }
    throw new BenchError(outcome.failure.code, outcome.failure.message)
  } finally {
    await browser.close()
  }
}

const html = `<script type="module">
import { bench } from '${benchScript}'
globalThis.bench = bench
</script>`
interface PageGlobals {
  readonly bench: typeof import('./page.ts')
  progress(line: string): void
}
