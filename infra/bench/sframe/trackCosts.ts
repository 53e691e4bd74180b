/** What the frames of a track pass. */
export const pipelines = ['cipher', 'no cipher', 'streams alone'] as const
export type Pipeline = (typeof pipelines)[number]

/** What it took to receive so many seconds of media. */
export interface TracksRun {
  readonly pipeline: Pipeline
  readonly tracks: number
  readonly frames: number
  readonly mediaSeconds: number
  /** Of all of the renderer's threads. */
  readonly cpuSeconds: number
}

/** Percent of a core, in real time. */
export interface TrackCosts {
  readonly tracks: number
  readonly framesPerSecond: number
  /** The cipher alone: what is saved where frames pass all the same code and nothing is decrypted. */
  readonly cipher: number
  /** All that is done with a frame, beyond the streams that it comes and goes by. */
  readonly opening: number
  /** The whole renderer: streams, and the timer and queues that stand in for the network, included. */
  readonly total: number
}

export function costsOf(runs: readonly TracksRun[]): TrackCosts {
  const [cipher, noCipher, streams] = pipelines.map((wanted) => {
    const run = runs.find(({ pipeline }) => pipeline === wanted)
    if (run === undefined) throw new TypeError(`no run of ${wanted}`)
    return { ...run, percent: (100 * run.cpuSeconds) / run.mediaSeconds }
  }) as [Costed, Costed, Costed]
  return {
    tracks: cipher.tracks,
    framesPerSecond: cipher.frames / cipher.mediaSeconds,
    cipher: cipher.percent - noCipher.percent,
    opening: cipher.percent - streams.percent,
    total: cipher.percent,
  }
}

interface Costed extends TracksRun {
  readonly percent: number
}
