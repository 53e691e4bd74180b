/**
 * Runs one step, saying on standard error when it starts, how long it took and whether it failed.
 *
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} step
 * @returns {Promise<T>}
 */
export async function progress(what, step) {
  const started = Date.now()
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`
  console.error(`▸ ${what}`)
  try {
    const result = await step()
    console.error(`✓ ${what} · ${seconds()}`)
    return result
  } catch (error) {
    console.error(`✗ ${what} · ${seconds()}`)
    throw error
  }
}
