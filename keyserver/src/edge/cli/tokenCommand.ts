import {
  AccessError,
  type Grant,
  type Grants,
  readAccessKeys,
  resolveAccess,
} from '@conclave/core/access'
import { Command, InvalidArgumentError, Option } from 'commander'
import { readSecrets } from '../configuration.ts'
import { secretVariables } from '../settings.ts'
import { systemClock, systemRandom } from '../systemRuntime.ts'
import type { Terminal } from './apiCommands.ts'

const grantNames = Object.keys({
  join: true,
  publish: true,
  subscribe: true,
  invite: true,
  remove: true,
  manage: true,
} satisfies Record<Grant, true>)

interface TokenOptions {
  readonly identity: string
  readonly meeting: string
  readonly grants: Grants
  readonly ttl: number
}

/** `token`: what the app's backend does, for an operator and for trying things out. */
export function tokenCommand({ environment, print }: Terminal): Command {
  return new Command('token')
    .description(`mint an access token with the secret in ${secretVariables.secret}`)
    .requiredOption('--identity <identity>', 'whom it is for')
    .requiredOption('--meeting <meeting>', 'the meeting it is for, or * for every one')
    .addOption(
      new Option('--grants <names>', `what it allows, of: ${grantNames.join(',')}`)
        .argParser(grantsIn)
        .default({ join: true, publish: true, subscribe: true }, 'join,publish,subscribe'),
    )
    .addOption(
      new Option('--ttl <seconds>', 'how long it holds').argParser(secondsIn).default(3600),
    )
    .action(async ({ identity, meeting, grants, ttl }: TokenOptions) => {
      const access = await resolveAccess({
        ...readAccessKeys(readSecrets(environment), fetch),
        host: 'localhost',
        clock: systemClock,
        randomBytes: systemRandom,
      })
      if (access.mode !== 'configured' || access.mint === undefined) {
        throw new AccessError('access-keys-required', `${secretVariables.secret} is not set`, {
          remedy: 'Set it, or …_FILE, to the secret that the servers check tokens with.',
        })
      }
      print(await access.mint({ identity, meeting, grants, ttlSeconds: ttl }))
    })
}

function grantsIn(text: string): Grants {
  const names = text.split(',').map((name) => name.trim())
  const grants = grantNames.filter((grant) => names.includes(grant))
  if (grants.length < new Set(names).size) throw new InvalidArgumentError(grantNames.join(', '))
  return Object.fromEntries(grants.map((grant) => [grant, true]))
}

function secondsIn(text: string): number {
  const seconds = Number(text)
  if (Number.isSafeInteger(seconds) && seconds > 0) return seconds
  throw new InvalidArgumentError('a positive number of seconds')
}
