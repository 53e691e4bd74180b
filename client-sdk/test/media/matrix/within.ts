const INTERVAL_MS = 100

/** Whether `condition` is met before the time is over. */
export async function within(
  patienceMs: number,
  condition: () => Promise<boolean>,
): Promise<boolean> {
  const end = performance.now() + patienceMs
  while (performance.now() < end) {
    if (await condition()) return true
    await pause(INTERVAL_MS)
  }
  return false
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
