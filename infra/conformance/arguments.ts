import { parseServerUrl } from '@conclave/core/access'
import { optionReader } from '../optionReader.ts'
import type { Check } from './check.ts'
import { ConformanceError } from './conformanceError.ts'

export const usage = `npm run conformance -- --url https://… [options]

Whether a keyserver keeps the delivery protocol (keyserver/PROTOCOL.md), told by what real MLS
groups see of it. It founds meetings of its own and leaves them to be closed by the keyserver.

  --url URL,…             the keyserver, or several instances of one, which share the clients
  --token-secret-env NAME the variable with the secret that tokens are signed with
  --token TOKEN           a token for every meeting; what needs others is skipped
                          (without either: POST /dev/token, as in the keyserver's development)
  --grace-ms N            the keyserver's grace period (default 10000)
  --idle-ms N             how long a member may go without a commit of its own; a check waits for it
  --waiting-limit N       KeyPackages that may wait in one group (default 256)
  --durable yes|no        whether acknowledged entries are to survive a crash; unset: not checked
  --patience-ms N         how long a reply or notice may take (default 10000)
  --only TEXT,…           only checks whose name or section contains one of these
  --list                  the checks, without running them
  --json                  one JSON object a line
  --help                  this text

Exit code: 0 all passed or skipped, 1 a check failed, 2 wrong arguments or no token to be had.`

const { parsed, wholeNumber } = optionReader(wrong)
/** What counts and milliseconds may be. */
const most = 3_600_000

export interface Arguments {
  readonly urls: readonly string[]
  readonly access:
    | { readonly kind: 'development' }
    | { readonly kind: 'secret'; readonly secret: string }
    | { readonly kind: 'token'; readonly token: string }
  readonly graceMs: number
  readonly idleMs: number | undefined
  readonly waitingJoiners: number
  readonly durable: boolean | undefined
  readonly patienceMs: number
  readonly only: readonly string[]
  readonly list: boolean
  readonly json: boolean
}

/**
 * What the command line asks for; undefined where it asks for help.
 * @throws ConformanceError `conformance-arguments-wrong`
 * @throws AccessError `url-invalid` or `insecure-url`
 */
export function readArguments(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Arguments | undefined {
  const { values } = parse(args)
  if (values.help) return undefined
  const urls = values.url?.split(',') ?? []
  if (urls.length === 0 && !values.list) throw wrong('--url names the keyserver')
  for (const url of urls) parseServerUrl(url)
  return {
    urls,
    access: accessOf(values['token-secret-env'], values.token, environment),
    graceMs: wholeNumber('--grace-ms', values['grace-ms'] ?? '10000', 1, most),
    idleMs:
      values['idle-ms'] === undefined
        ? undefined
        : wholeNumber('--idle-ms', values['idle-ms'], 1, most),
    waitingJoiners: wholeNumber('--waiting-limit', values['waiting-limit'] ?? '256', 1, most),
    durable: yesOrNo('--durable', values.durable),
    patienceMs: wholeNumber('--patience-ms', values['patience-ms'] ?? '10000', 1, most),
    only: values.only?.split(',') ?? [],
    list: values.list,
    json: values.json,
  }
}

/** @throws ConformanceError `conformance-arguments-wrong` where nothing is left */
export function chosen(checks: readonly Check[], only: readonly string[]): readonly Check[] {
  if (only.length === 0) return checks
  const left = checks.filter(({ id, section }) =>
    only.some((text) => id.includes(text) || section.toLowerCase().includes(text.toLowerCase())),
  )
  if (left.length === 0) throw wrong(`there is no check like ${only.join(' or ')}`)
  return left
}

function parse(args: readonly string[]) {
  return parsed({
    args: [...args],
    options: {
      url: { type: 'string' },
      'token-secret-env': { type: 'string' },
      token: { type: 'string' },
      'grace-ms': { type: 'string' },
      'idle-ms': { type: 'string' },
      'waiting-limit': { type: 'string' },
      durable: { type: 'string' },
      'patience-ms': { type: 'string' },
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
}

function accessOf(
  secretVariable: string | undefined,
  token: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Arguments['access'] {
  if (secretVariable !== undefined && token !== undefined) {
    throw wrong('--token and --token-secret-env exclude each other')
  }
  if (token !== undefined) return { kind: 'token', token }
  if (secretVariable === undefined) return { kind: 'development' }
  const secret = environment[secretVariable]
  if (secret === undefined || secret === '') throw wrong(`${secretVariable} is not set`)
  return { kind: 'secret', secret }
}

function yesOrNo(option: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (text === 'yes' || text === 'no') return text === 'yes'
  throw wrong(`${option} is yes or no, not '${text}'`)
}

function wrong(message: string): ConformanceError {
  return new ConformanceError('conformance-arguments-wrong', message)
}
