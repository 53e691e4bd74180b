import { onTestFinished } from 'vitest'

/** Runs the rest of a test with uncaught exceptions going to `seen` instead of failing the run. */
export function catchUncaught(): Error[] {
  const seen: Error[] = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => seen.push(error))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of before) process.on('uncaughtException', listener)
  })
  return seen
}

/** What is rejected during the rest of a test and nobody handles. */
export function unhandledRejections(): readonly unknown[] {
  const unhandled: unknown[] = []
  const listener = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listener)
  onTestFinished(() => {
    process.off('unhandledRejection', listener)
  })
  return unhandled
}
