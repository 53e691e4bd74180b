import { isIP } from 'node:net'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { MeetingServerError } from './meetingServerError.ts'

/** How the demo's server runs. */
export interface Configuration {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Where browsers send media, where it is not `host`. */
  readonly mediaAddress: string | undefined
  readonly mediaPorts: { readonly min: number; readonly max: number }
  /** What access tokens are signed with; undefined means development on loopback. */
  readonly accessSecret: string | undefined
  readonly json: boolean
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

export const accessSecretVariable = 'CONCLAVE_ACCESS_SECRET'

/**
 * Reads the server's configuration: flags first, then the environment, then defaults. The access
 * secret comes from the environment alone, since flags show in the list of processes.
 *
 * @throws MeetingServerError `configuration-invalid`, whose message names the flag or variable
 * @throws CommanderError `commander.helpDisplayed` once help has been written
 */
export function readConfiguration(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration {
  const command = meetingCommand()
  try {
    for (const option of command.options) {
      const value = option.envVar === undefined ? undefined : environment[option.envVar]
      if (value !== undefined && value !== '') readVariable(command, option, value)
    }
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error
    throw new MeetingServerError(
      'configuration-invalid',
      error.message.replace(/^error: /, '').trim(),
      { remedy: 'npm run demo -- --help lists the options.' },
    )
  }
  const options = command.opts<Omit<Configuration, 'accessSecret' | 'mediaAddress'>>()
  return {
    mediaAddress: undefined,
    ...options,
    accessSecret: environment[accessSecretVariable] || undefined,
  }
}

function readVariable(command: Command, option: Option, value: string): void {
  const name = option.envVar ?? ''
  let read: unknown = value
  try {
    if (option.argChoices !== undefined && !option.argChoices.includes(value)) {
      throw new InvalidArgumentError(`Allowed choices are ${option.argChoices.join(', ')}.`)
    }
    if (option.isBoolean()) read = readSwitch(value)
    else if (option.argChoices === undefined) read = option.parseArg?.(value, undefined) ?? value
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new CommanderError(1, error.code, `${name}='${value}' is invalid. ${error.message}`)
  }
  command.setOptionValueWithSource(option.attributeName(), read, 'env')
}

function meetingCommand(): Command {
  return new Command('conclave-meeting')
    .description('Serves a small end-to-end encrypted meeting: keyserver, SFU and page on one port')
    .addOption(hostOption().env('CONCLAVE_MEETING_HOST'))
    .addOption(portOption().env('CONCLAVE_MEETING_PORT'))
    .addOption(
      new Option('--media-address <address>', 'where browsers send media, if not to --host')
        .env('CONCLAVE_MEETING_MEDIA_ADDRESS')
        .argParser(readName),
    )
    .addOption(
      new Option('--media-ports <min-max>', 'ports of which media takes one, UDP and TCP')
        .env('CONCLAVE_MEETING_MEDIA_PORTS')
        .argParser(readPortRange)
        .default({ min: 40_000, max: 49_999 }, '40000-49999'),
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged to standard error')
        .env('CONCLAVE_MEETING_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .addOption(
      new Option('--json', 'say what happens as one JSON object a line')
        .env('CONCLAVE_MEETING_JSON')
        .default(false),
    )
    .addHelpText(
      'after',
      `
${accessSecretVariable}: what the access tokens of your backend are signed with, at least
32 bytes. Without it the server is for this machine alone and mints tokens itself. With it,
open the page as https://…/#token=<token>, through a proxy that speaks TLS.`,
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
}

export function hostOption(): Option {
  return new Option('--host <address>', 'address to listen on')
    .argParser(readName)
    .default('127.0.0.1')
}

export function portOption(): Option {
  return new Option('--port <port>', 'port to listen on; 0 takes a free one')
    .argParser(readPort)
    .default(3000)
}

function readName(value: string): string {
  const isAddress = isIP(value) !== 0
  if (!isAddress && !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(value)) {
    throw new InvalidArgumentError('Expected an IP address or a host name.')
  }
  return value
}

function readPort(value: string): number {
  const port = Number(value)
  if (!/^\d{1,5}$/.test(value) || port > 65_535) {
    throw new InvalidArgumentError('Expected a number from 0 to 65535.')
  }
  return port
}

function readPortRange(value: string): Configuration['mediaPorts'] {
  const [, low = '', high = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(value) ?? []
  const range = { min: Number(low), max: Number(high) }
  if (low === '' || range.min === 0 || range.min > range.max || range.max > 65_535) {
    throw new InvalidArgumentError('Expected two ports, the lower one first, such as 40000-40100.')
  }
  return range
}

function readSwitch(value: string): boolean {
  if (!/^(1|0|true|false)$/.test(value)) throw new InvalidArgumentError('Expected true or false.')
  return value === '1' || value === 'true'
}
