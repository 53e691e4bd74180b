import { parseServerUrl } from '@conclave/core/access'
import { Command, CommanderError, Option } from 'commander'
import { z } from 'zod'
import { SfuError } from '../sfuError.ts'

/** How a standalone SFU runs. */
export interface SfuConfig {
  readonly host: string
  readonly port: number
  readonly path: string
  /** Shared with the app's backend and the keyserver; undefined means development on loopback. */
  readonly accessSecret: string | undefined
  readonly keyserverUrl: string
  readonly mediaIp: string
  readonly announcedAddress: string | undefined
  readonly mediaPorts: { readonly min: number; readonly max: number }
  readonly workers: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

const port = z.coerce.number().int().min(0).max(65_535)

const configSchema = z.object({
  host: z.string().min(1),
  port,
  path: z.string().regex(/^(\/[\w.~-]+)*\/socket\.io$/, 'a path that ends in /socket.io'),
  keyserver: z.string().refine(isServerUrl, 'a URL such as https://keys.example'),
  mediaIp: z.union([z.ipv4(), z.ipv6()]),
  announcedAddress: z.string().min(1).optional(),
  mediaPorts: z
    .string()
    .regex(/^\d+-\d+$/, 'two ports, such as 40000-40100')
    .transform((range) => {
      const [min = 0, max = 0] = range.split('-').map(Number)
      return { min, max }
    })
    .refine(({ min, max }) => min > 0 && min <= max && max <= 65_535, 'ports, the lower one first'),
  workers: z.coerce.number().int().min(1).max(256),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
})

/**
 * Reads the configuration of the command `conclave-sfu`: flags first, then the environment, then
 * defaults. The access secret comes from the environment alone, because flags show in the list of
 * processes.
 *
 * @throws SfuError `config-invalid`, whose message names the option
 * @throws CommanderError `commander.help` or `commander.helpDisplayed` once help has been written
 */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  defaults: { readonly workers: number },
): SfuConfig {
  const command = sfuCommand(defaults)
  for (const option of command.options) {
    const value = option.envVar === undefined ? undefined : env[option.envVar]
    if (value !== undefined && value !== '') {
      command.setOptionValueWithSource(option.attributeName(), value, 'env')
    }
  }
  try {
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error
    throw new SfuError('config-invalid', error.message, { remedy: 'conclave-sfu --help' })
  }
  const parsed = configSchema.safeParse(command.opts())
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new SfuError('config-invalid', `${issue?.path.join('.')}: ${issue?.message}`, {
      remedy: 'conclave-sfu --help',
    })
  }
  const { keyserver, announcedAddress, ...config } = parsed.data
  return {
    ...config,
    announcedAddress,
    accessSecret: env['CONCLAVE_ACCESS_SECRET'] || undefined,
    keyserverUrl: keyserver,
  }
}

function sfuCommand(defaults: { readonly workers: number }): Command {
  return new Command('conclave-sfu')
    .description('Forwards end-to-end encrypted media; holds no key')
    .addOption(
      new Option('--host <address>', 'address to listen on for signalling')
        .env('SFU_HOST')
        .default('127.0.0.1'),
    )
    .addOption(new Option('--port <port>', 'port for signalling').env('SFU_PORT').default('4443'))
    .addOption(
      new Option('--path <path>', 'HTTP path of socket.io').env('SFU_PATH').default('/socket.io'),
    )
    .addOption(
      new Option('--keyserver <url>', 'keyserver to relay the delivery protocol to')
        .env('SFU_KEYSERVER_URL')
        .default('http://127.0.0.1:4444'),
    )
    .addOption(
      new Option('--media-ip <ip>', 'address to listen on for media')
        .env('SFU_MEDIA_IP')
        .default('127.0.0.1'),
    )
    .addOption(
      new Option(
        '--announced-address <address>',
        'address that clients send media to, when it is not the one listened on',
      ).env('SFU_ANNOUNCED_ADDRESS'),
    )
    .addOption(
      new Option('--media-ports <min-max>', 'UDP and TCP ports for media, one for each worker')
        .env('SFU_MEDIA_PORTS')
        .default('40000-49999'),
    )
    .addOption(
      new Option('--workers <count>', 'mediasoup workers; each uses one core')
        .env('SFU_WORKERS')
        .default(String(defaults.workers)),
    )
    .addOption(
      new Option('--log-level <level>', 'debug, info, warn, error or silent')
        .env('SFU_LOG_LEVEL')
        .default('info'),
    )
    .addHelpText('after', '\nCONCLAVE_ACCESS_SECRET: what access tokens are signed with.')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
}

function isServerUrl(url: string): boolean {
  try {
    parseServerUrl(url, { allowInsecure: true })
    return true
  } catch {
    return false
  }
}
