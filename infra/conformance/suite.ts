import { type Check, type Need, NotConforming } from './check.ts'
import { committing } from './checks/committing.ts'
import { connecting } from './checks/connecting.ts'
import { continuing } from './checks/continuing.ts'
import { directory } from './checks/directory.ts'
import { entryStatuses } from './checks/entryStatuses.ts'
import { externalCommits } from './checks/externalCommits.ts'
import { founding } from './checks/founding.ts'
import { hostileInput } from './checks/hostileInput.ts'
import { hostRemovals } from './checks/hostRemovals.ts'
import { messages } from './checks/messages.ts'
import { presence } from './checks/presence.ts'
import { removals } from './checks/removals.ts'
import { replies } from './checks/replies.ts'
import { resuming } from './checks/resuming.ts'
import { waiting } from './checks/waiting.ts'
import { welcomes } from './checks/welcomes.ts'
import { Site, type Target } from './site.ts'

export const checks: readonly Check[] = [
  ...connecting,
  ...founding,
  ...waiting,
  ...welcomes,
  ...resuming,
  ...committing,
  ...removals,
  ...presence,
  ...externalCommits,
  ...entryStatuses,
  ...messages,
  ...hostRemovals,
  ...continuing,
  ...directory,
  ...hostileInput,
  ...replies,
]

export type Result = Pick<Check, 'id' | 'promise' | 'section'> &
  (
    | { readonly outcome: 'passed'; readonly ms: number }
    | {
        readonly outcome: 'failed'
        readonly ms: number
        readonly expected: string
        readonly seen: string
      }
    | { readonly outcome: 'skipped'; readonly needs: Need }
  )

/** A check takes many replies, each of which may take as long as patience lasts. */
const patienceOfACheck = 6

/**
 * Runs the checks one after the other, each in a meeting of its own. What a keyserver does wrong
 * fails a check and never ends the run; what it withholds fails it when patience is at its end.
 */
export async function runSuite(
  target: Target,
  wanted: readonly Check[],
  progress: (result: Result) => void = () => {},
): Promise<readonly Result[]> {
  const results: Result[] = []
  for (const check of wanted) {
    const result = await runCheck(target, check)
    progress(result)
    results.push(result)
  }
  return results
}

async function runCheck(target: Target, check: Check): Promise<Result> {
  const { id, promise, section, needs, waitsForGrace = false } = check
  const about = { id, promise, section }
  if (needs !== undefined && !provides(target, needs))
    return { ...about, outcome: 'skipped', needs }
  const begun = performance.now()
  const since = () => Math.round(performance.now() - begun)
  const site = new Site(target, waitsForGrace)
  try {
    await atMost(site.patienceMs * patienceOfACheck, check.run(site))
    return { ...about, outcome: 'passed', ms: since() }
  } catch (error) {
    const fault =
      error instanceof NotConforming
        ? { expected: error.expected, seen: error.seen }
        : { expected: promise, seen: error instanceof Error ? error.message : String(error) }
    return { ...about, outcome: 'failed', ms: since(), ...fault }
  } finally {
    site.close()
  }
}

function provides({ tokens, durable, idleMs }: Target, need: Need): boolean {
  switch (need) {
    case 'secret':
      return tokens === 'any'
    case 'people':
      return tokens !== 'fixed'
    case 'durable':
      return durable !== undefined
    case 'idle':
      return idleMs !== undefined
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not at its end after ${ms} ms`)), ms)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
