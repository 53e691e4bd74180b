/**
 * `node healthcheck.mjs <url>`: status 0 when the URL answers 2xx within 3 seconds, else 1 and a
 * line that says why. Docker calls it; images without curl need nothing else.
 */
const [url = ''] = process.argv.slice(2)

try {
  const response = await fetch(url, { signal: AbortSignal.timeout(3000), redirect: 'error' })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`status ${response.status}`)
} catch (error) {
  const reason = error instanceof Error ? String(error.cause ?? error.message) : String(error)
  console.error(`${url}: ${reason}`)
  process.exitCode = 1
}
