import { ConclaveError } from '@conclave/core'
import { Command, CommanderError, Option } from 'commander'
import { z } from 'zod'

/** How a standalone keyserver runs. */
export interface Configuration {
  readonly host: string
  readonly port: number
  /** HTTP path of socket.io. */
  readonly path: string
  readonly graceMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Shared with the app's backend and the SFU; undefined means development on loopback. */
  readonly accessSecret: string | undefined
}

export class ConfigurationError extends ConclaveError<'configuration-invalid'> {
  override readonly name = 'ConfigurationError'
}

export const accessSecretVariable = 'CONCLAVE_ACCESS_SECRET'

const schema = z.object({
  host: z.string().min(1, 'an address to listen on'),
  port: z.coerce.number('a port').int('a port').min(0, 'a port').max(65_535, 'a port'),
  path: z.string().regex(/^(\/[\w.~-]+)*\/socket\.io$/, 'a path that ends in /socket.io'),
  graceMs: z.coerce.number('milliseconds').int('milliseconds').min(100, 'at least 100').max(3.6e6),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
})

/**
 * Reads the configuration of the command `conclave-keyserver`: flags first, then the environment,
 * then defaults. The access secret comes from the environment alone, since flags show in the list
 * of processes.
 *
 * @throws ConfigurationError `configuration-invalid`, whose message names the flag or variable
 * @throws CommanderError `commander.helpDisplayed` once help has been written
 */
export function readConfiguration(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const command = keyserverCommand()
  for (const option of command.options) {
    const value = option.envVar === undefined ? undefined : environment[option.envVar]
    if (value !== undefined && value !== '') {
      command.setOptionValueWithSource(option.attributeName(), value, 'env')
    }
  }
  try {
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error
    throw invalid(error.message)
  }
  const parsed = schema.safeParse(command.opts())
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(`${sourceOf(command, String(issue?.path[0]))}: expected ${issue?.message}`)
  }
  return { ...parsed.data, accessSecret: environment[accessSecretVariable] || undefined }
}

function invalid(message: string): ConfigurationError {
  return new ConfigurationError('configuration-invalid', message, {
    remedy: 'conclave-keyserver --help',
  })
}

/** The flag or variable that an option's value was given by. */
function sourceOf(command: Command, name: string): string {
  const option = command.options.find((candidate) => candidate.attributeName() === name)
  const given = command.getOptionValueSource(name) === 'env' ? option?.envVar : option?.long
  return given ?? name
}

function keyserverCommand(): Command {
  return new Command('conclave-keyserver')
    .description('Orders the handshake messages of end-to-end encrypted meetings; holds no key')
    .addOption(
      new Option('--host <address>', 'address to listen on')
        .env('CONCLAVE_KEYSERVER_HOST')
        .default('127.0.0.1'),
    )
    .addOption(
      new Option('--port <port>', 'port to listen on')
        .env('CONCLAVE_KEYSERVER_PORT')
        .default('4444'),
    )
    .addOption(
      new Option('--path <path>', 'HTTP path of socket.io')
        .env('CONCLAVE_KEYSERVER_PATH')
        .default('/socket.io'),
    )
    .addOption(
      new Option('--grace-ms <ms>', 'how long a member may be gone before it is removed')
        .env('CONCLAVE_KEYSERVER_GRACE_MS')
        .default('10000'),
    )
    .addOption(
      new Option('--log-level <level>', 'debug, info, warn, error or silent')
        .env('CONCLAVE_KEYSERVER_LOG_LEVEL')
        .default('info'),
    )
    .addHelpText(
      'after',
      `\n${accessSecretVariable}: what access tokens are signed with, at least 32 bytes.` +
        '\nWithout it the keyserver serves this machine alone and mints tokens at POST /dev/token.',
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
}
