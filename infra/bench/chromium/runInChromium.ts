import { resolve } from 'node:path'
import { chromium } from 'playwright-core'
import { bundle } from '../../checks/bundle.mjs'
import { repository } from '../../entry/repository.mjs'
import { BenchError } from '../benchError.ts'
import type { Measured, Workload } from '../benchmark.ts'
import { chromiumPath, isolation, localOrigin } from './browser.ts'
import { fromPlain } from './outcome.ts'

/**
 * Measures core with WebCrypto in the system's Chromium, beside the floor there.
 * @throws BenchError `bench-chromium-missing`, and what `runBenchmark` throws
 */
export async function runInChromium(
  workload: Workload,
  progress: (line: string) => void,
): Promise<{ measured: Measured; version: string }> {
  const executablePath = chromiumPath()
  const { code } = await bundle(
    { bench: resolve(repository, 'infra', 'bench', 'chromium', 'page.ts') },
    { minify: true, external: [] },
  )
  const args = ['--no-sandbox', '--disable-gpu', '--js-flags=--expose-gc']
  const browser = await chromium.launch({ executablePath, args })
  try {
    const page = await browser.newPage()
    await page.route(`${localOrigin}/**`, (route) => {
      const isScript = new URL(route.request().url()).pathname === script
      const [contentType, body] = isScript ? ['text/javascript', code] : ['text/html', html]
      return route.fulfill({ contentType, body, headers: isolation })
    })
    await page.exposeFunction('progress', progress)
    await page.goto(localOrigin)
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

const script = '/bench.js'
const html = `<script type="module">
import { bench } from '${script}'
globalThis.bench = bench
</script>`
interface PageGlobals {
  readonly bench: typeof import('./page.ts')
  progress(line: string): void
}
