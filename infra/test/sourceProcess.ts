import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

/*
 * Young objects are collected seldom and together, which takes a tenth less time. Errors are part of
 * what is simulated: where they were made is found by replaying the seed.
 */
const flags = [
  '--conditions=conclave:source',
  '--experimental-strip-types',
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=32',
  '--stack-trace-limit=0',
]

/** What a program of the sources prints, run for the time of a test at most. */
export async function outputOf(
  program: string,
  args: readonly string[],
  moreFlags: readonly string[] = [],
): Promise<string> {
  const child = spawn(process.execPath, [...flags, ...moreFlags, program, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void child.kill())
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  return output.trim()
}
