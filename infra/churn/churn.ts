import { ChurningMeeting, type ChurnOptions, type ChurnSample } from './churningMeeting.ts'
import { type Allowance, type Trend, trendsOf } from './flatness.ts'

export interface ChurnPlan extends ChurnOptions {
  /** Newcomers a second until the meeting has its members. */
  readonly fillPerSecond: number
  /** Comings and goings between two looks. */
  readonly timesPerSample: number
  readonly samples: number
  /** The first of these are not looked at: what is bounded has not met its bound yet. */
  readonly warmUp: number
  /** Bytes of the heap that may come to it. */
  readonly heapBytes: number
}

export interface ChurnOutcome {
  readonly trends: Readonly<Record<keyof ChurnSample, Trend>>
  readonly samples: readonly ChurnSample[]
  readonly epochs: number
  readonly virtualMinutes: number
  /** Errors of sessions and of the keyserver, and what was not as it should be in the end. */
  readonly complaints: readonly string[]
}

/** Runs a meeting for as long as planned, and then lets it come to rest and end. */
export async function runChurn(
  plan: ChurnPlan,
  onSample: (sample: ChurnSample) => void = () => {},
): Promise<ChurnOutcome> {
  const uninstall = plan.plant?.install?.()
  try {
    return await churned(plan, onSample)
  } finally {
    uninstall?.()
  }
}

async function churned(plan: ChurnPlan, onSample: (sample: ChurnSample) => void) {
  const meeting = await ChurningMeeting.open(plan)
  const began = meeting.clock.now()
  const unfilled = await meeting.fill(plan.fillPerSecond)
  const samples: ChurnSample[] = []
  for (let taken = 0; taken < plan.samples; taken++) {
    await meeting.churn(plan.timesPerSample)
    const sample = await meeting.sample()
    samples.push(sample)
    onSample(sample)
  }
  const virtualMinutes = (meeting.clock.now() - began) / 60_000
  const { epochs } = meeting
  const ends = [unfilled, await meeting.settle(), await meeting.end()]
  return {
    trends: trendsOf(samples, plan.warmUp, allowancesOf(plan)),
    samples,
    epochs,
    virtualMinutes,
    complaints: [...meeting.complaints, ...ends.flatMap((missing) => missing ?? [])],
  }
}

/**
 * A few connections, timers or secrets more or less are the moment's: somebody is about to come or
 * to go. The log saws between two trimmings.
 */
function allowancesOf({ heapBytes, members }: ChurnPlan): Record<keyof ChurnSample, Allowance> {
  const some = { fraction: 0.1, units: Math.max(2, members / 20) }
  return {
    'heap bytes': { fraction: 0, units: heapBytes },
    'log entries': { fraction: 0.15, units: 0 },
    'log bytes': { fraction: 0.15, units: 0 },
    // A device's own key, where it comes for the first time.
    'session store bytes': { fraction: 0.1, units: 64 * members },
    timers: some,
    connections: some,
    secrets: { fraction: 0.1, units: members },
  }
}
