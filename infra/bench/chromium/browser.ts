import { type Browser, chromium, type Page } from 'playwright-core'
import { bundle } from '../../checks/bundle.mjs'
import { findProgram, chromium as program } from '../../entry/programs.mjs'
import { BenchError } from '../benchError.ts'

/** A secure context, as WebCrypto wants it; nothing is ever sent there. */
const localOrigin = 'http://localhost'

/** A page that shares its process with nobody has a clock of 5 µs instead of 100 µs. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** Where a page finds the bundle that was made for it. */
export const benchScript = '/bench.js'

/**
 * The system's Chromium with one page, for which a module is bundled; the page may call `progress`.
 * @param entry path of the module
 * @param html has the page load {@link benchScript}
 * @throws BenchError `bench-chromium-missing`
 */
export async function openBenchPage(
  entry: string,
  html: string,
  progress: (line: string) => void,
): Promise<{ readonly browser: Browser; readonly page: Page }> {
  const executablePath = chromiumPath()
  const { code } = await bundle({ bench: entry }, { minify: true, external: [] })
  const args = ['--no-sandbox', '--disable-gpu', '--js-flags=--expose-gc']
  const browser = await chromium.launch({ executablePath, args })
  try {
    const page = await browser.newPage()
    await page.route(`${localOrigin}/**`, (route) => {
      const isScript = new URL(route.request().url()).pathname === benchScript
      const [contentType, body] = isScript ? ['text/javascript', code] : ['text/html', html]
      return route.fulfill({ contentType, body, headers: isolation })
    })
    await page.exposeFunction('progress', progress)
    await page.goto(localOrigin)
    return { browser, page }
  } catch (error) {
    await browser.close()
    throw error
  }
}

function chromiumPath(): string {
  const path = findProgram(program)
  if (path !== undefined) return path
  const { names, debianPackage, variable } = program
  throw new BenchError(
    'bench-chromium-missing',
    `there is no ${names[0]}: install Debian's package ${debianPackage}, or say in ${variable} where it is`,
  )
}
