import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { SetupError } from '../entry/setupError.mjs'
import { minutesAtMost } from './lanes.mjs'

/** @typedef {import('./campaign.mjs').Campaign} Campaign */

/** @param {readonly Campaign[]} campaigns */
export function usage(campaigns) {
  return `npm run test:long [-- options]

Repeats property tests until the result means something, at most ${minutesAtMost(campaigns)} minutes in all, and keeps what
they saw in docs/evidence.json.

  --only name,…  these campaigns only; keyserver is every campaign keyserver-…
  --seed S       start chance from this number, as an earlier run did
  --json         what docs/evidence.json has then, on standard output
  --help         this text

Campaigns:
${campaigns.map(({ name, shows, runs }) => `  ${name}: ${shows} (${runs} runs)`).join('\n')}`
}

/**
 * What the command line asks for; undefined where it asks for help.
 *
 * @param {readonly string[]} args
 * @param {readonly Campaign[]} campaigns
 * @returns {{ chosen: readonly Campaign[], seed: number, json: boolean } | undefined}
 * @throws SetupError `arguments-wrong`
 */
export function readArguments(args, campaigns) {
  const values = parse(args)
  if (values.help) return undefined
  const names = values.only?.split(',')
  const unknown = names?.find((name) => !campaigns.some((campaign) => isNamed(campaign, name)))
  if (unknown !== undefined) {
    throw wrong(`there is no campaign ${unknown}: ${campaigns.map(({ name }) => name).join(', ')}`)
  }
  const seed = Number(values.seed ?? randomInt(2 ** 31))
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31) {
    throw wrong(`--seed takes an integer from 0 below 2^31, not ${values.seed}`)
  }
  return {
    chosen: campaigns.filter(
      (campaign) => names === undefined || names.some((name) => isNamed(campaign, name)),
    ),
    seed,
    json: values.json,
  }
}

/**
 * @param {Campaign} campaign
 * @param {string} name its own, or that of a family of campaigns
 */
function isNamed(campaign, name) {
  return campaign.name === name || campaign.name.startsWith(`${name}-`)
}

/** @param {readonly string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause))
  }
}

/** @param {string} message */
function wrong(message) {
  return new SetupError('arguments-wrong', message, { remedy: 'npm run test:long -- --help' })
}
