/**
 * Calls `run` once this process could have heard something for so many seconds. A second in which it
 * had no turn, being busy or asleep, does not count: what came then is heard only afterwards.
 * @param secondMs milliseconds that a second has
 * @returns cancels it
 */
export function afterListening(seconds: number, run: () => void, secondMs = 1_000): () => void {
  let left = seconds
  const passed = (): void => {
    left -= 1
    if (left === 0) run()
    else timer = setTimeout(passed, secondMs)
  }
  let timer = setTimeout(passed, secondMs)
  return () => clearTimeout(timer)
}
