import { choice, commonOptions, type Format, formatOf, parsed, wholeNumber } from '../arguments.ts'

export const sframeUsage = `npm run bench -- sframe [options]

Measures frame encryption beside the bare AEAD of the same platform, the two in alternation.

  --in place,…   only there: node (node:crypto and WebCrypto), chromium (WebCrypto in a worker)
  --only part,…  only these: frames (SFrame), codecs (whole frames by codec), peer (our transform
                 beside livekit-client's, in chromium), tracks (a meeting of 50 that is received
                 in one worker, in chromium)
  --bytes N,…    sizes of frames (default 160,1200,10000,60000)
  --rounds N     blocks in which ours and the bare AEAD take turns (default 40)
  --tracks N     video tracks that are received, with as many of audio (default 50)
  --seconds N    how long they are received (default 10)
  --json         one JSON object a line, the first for machine and versions
  --markdown     tables for docs/benchmarks.md
  --help         this text`

export const places = ['node', 'chromium'] as const
export type Place = (typeof places)[number]

export const parts = ['frames', 'codecs', 'peer', 'tracks'] as const
export type Part = (typeof parts)[number]

export interface SframeArguments {
  readonly places: ReadonlySet<Place>
  readonly only: ReadonlySet<Part>
  readonly bytes: readonly number[]
  readonly rounds: number
  readonly tracks: number
  readonly seconds: number
  readonly format: Format
}

/** WebCrypto gives so many random bytes at once, and frames are made of them. */
const largestFrame = 65_000

/**
 * What the command line asks for after `sframe`; undefined where it asks for help.
 * @throws BenchError `bench-arguments-wrong`
 */
export function readSframeArguments(args: readonly string[]): SframeArguments | undefined {
  const values = parse(args)
  if (values.help) return undefined
  return {
    places: new Set(values.in?.split(',').map((name) => choice(places, name, 'place')) ?? places),
    only: new Set(values.only?.split(',').map((name) => choice(parts, name, 'part')) ?? parts),
    bytes: (values.bytes ?? '160,1200,10000,60000')
      .split(',')
      .map((bytes) => wholeNumber('--bytes', bytes, 1, largestFrame)),
    rounds: wholeNumber('--rounds', values.rounds ?? '40', 1, 1000),
    tracks: wholeNumber('--tracks', values.tracks ?? '50', 1, 500),
    seconds: wholeNumber('--seconds', values.seconds ?? '10', 1, 60),
    format: formatOf(values),
  }
}

function parse(args: readonly string[]) {
  return parsed({
    args: [...args],
    options: {
      ...commonOptions,
      in: { type: 'string' },
      only: { type: 'string' },
      bytes: { type: 'string' },
      rounds: { type: 'string' },
      tracks: { type: 'string' },
      seconds: { type: 'string' },
    },
  }).values
}
