import { readFileSync } from 'node:fs'
import { ConclaveError } from '@conclave/core'
import {
  AccessError,
  type AccessKeyTexts,
  isLoopbackHost,
  readAccessKeys,
} from '@conclave/core/access'
import type { Bytes } from '@conclave/core/codec'
import { Command, CommanderError } from 'commander'
import type { KeyserverLimits } from '../limits.ts'
import { WebhookError } from '../webhooks/webhookError.ts'
import { readRemovalKey } from './removalKey.ts'
import { secretVariables, settingsByName, settingsSchema } from './settings.ts'
import { systemClock } from './systemRuntime.ts'
import { webhookSender } from './webhookSender.ts'

/** How a standalone keyserver runs. */
export interface Configuration {
  readonly host: string
  readonly port: number
  /** HTTP path of socket.io. */
  readonly path: string
  /** Undefined without TLS of its own. PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  /** How many proxies in front of it are believed what they say in `X-Forwarded-For`. */
  readonly trustedProxies: number
  /** Undefined keeps everything in memory; several URLs are nodes of one cluster. */
  readonly redis: { readonly urls: readonly string[]; readonly allowLossy: boolean } | undefined
  /** PKCS #8 key that signs Remove proposals; undefined: one is generated. */
  readonly removalKey: Bytes | undefined
  /** What tokens are checked with; nothing at all means development on loopback. */
  readonly access: AccessKeyTexts
  readonly heartbeatMs: number
  readonly graceMs: number
  readonly idleMs: number
  readonly maxMeetingMs: number
  readonly limits: Partial<KeyserverLimits>
  readonly webhook: { readonly url: string; readonly secret: string } | undefined
  /** Where metrics have a port of their own. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined
  readonly drainMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

export class ConfigurationError extends ConclaveError<'configuration-invalid'> {
  override readonly name = 'ConfigurationError'
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Adds the flags of a standalone keyserver, with their defaults. */
export function addSettings(command: Command): Command {
  for (const { option } of settingsByName.values()) command.addOption(option)
  return command.option('--check', 'print the configuration that results, without secrets, and end')
}

/**
 * Reads the configuration of `conclave-keyserver`: flags first, then the environment, then
 * defaults. A variable that is empty counts as absent.
 *
 * @throws ConfigurationError `configuration-invalid`, whose message names the flag or variable
 * @throws CommanderError `commander.helpDisplayed` once help has been written
 */
export function readConfiguration(
  args: readonly string[],
  environment: Environment,
): Configuration {
  const command = addSettings(new Command('conclave-keyserver'))
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  try {
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error
    throw invalid(error.message)
  }
  return configurationOf(command, environment)
}

/** What the flags of a parsed command and the environment say. @throws ConfigurationError */
export function configurationOf(command: Command, environment: Environment): Configuration {
  const given: Record<string, unknown> = {}
  const sources = new Map<string, string>()
  for (const [name, { option, variable }] of settingsByName) {
    const value = environment[variable]
    if (command.getOptionValueSource(name) === 'cli') sources.set(name, option.long ?? name)
    else if (value !== undefined && value !== '') sources.set(name, variable)
    given[name] = sources.get(name) === variable ? value : command.getOptionValue(name)
  }
  const sourceOf = (name: string) => sources.get(name) ?? settingsByName.get(name)?.variable ?? name
  const secrets = readSecrets(environment)
  if (given['redis'] === undefined) given['redis'] = secrets.redisUrl
  else if (sources.get('redis') === '--redis') refusePassword(String(given['redis']))

  const parsed = settingsSchema.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(`${sourceOf(String(issue?.path[0]))}: expected ${issue?.message}`)
  }
  const settings = parsed.data
  const file = (name: 'tlsCert' | 'tlsKey' | 'removalKey' | 'publicKeys') => {
    const path = settings[name]
    return path === undefined ? undefined : readText(path, sourceOf(name))
  }
  const { host, redis, jwks, webhookUrl, metricsPort } = settings
  const isPath = jwks !== undefined && !/^[a-z]+:/i.test(jwks)
  const keySet = isPath ? readText(jwks, sourceOf('jwks')) : jwks
  return {
    host,
    port: settings.port,
    path: settings.path,
    tls: tlsOf(file('tlsCert'), file('tlsKey'), settings, sourceOf('host')),
    trustedProxies: settings.trustedProxies,
    redis: redis && { urls: redis, allowLossy: settings.allowLossy },
    removalKey: removalKeyOf(file('removalKey'), sourceOf('removalKey')),
    access: {
      secret: secrets.secret,
      secrets: checkedKeys('secrets', secrets.secrets, secretVariables.secrets),
      publicKeys: checkedKeys('publicKeys', file('publicKeys'), sourceOf('publicKeys')),
      jwks: checkedKeys('jwks', keySet, sourceOf('jwks')),
    },
    heartbeatMs: settings.heartbeatMs,
    graceMs: settings.graceMs,
    idleMs: settings.idleMinutes * 60_000,
    maxMeetingMs: settings.maxMeetingHours * 3_600_000,
    limits: {
      groups: settings.maxMeetings,
      connections: settings.maxConnections,
      connectionsPerAddress: settings.maxConnectionsPerAddress,
      connectionsPerIdentity: settings.maxConnectionsPerIdentity,
      connectionsPerMeeting: settings.maxConnectionsPerMeeting,
      connectionAttemptsPerMinute: settings.connectionAttempts,
    },
    webhook:
      webhookUrl === undefined
        ? undefined
        : webhookOf(webhookUrl, secrets.webhookSecret, sourceOf('webhookUrl')),
    metrics:
      metricsPort === undefined ? undefined : { host: settings.metricsHost, port: metricsPort },
    drainMs: settings.drainMs,
    logLevel: settings.logLevel,
  }
}

/** The configuration as it may be shown: what is secret is named, not told. */
export function redacted(configuration: Configuration): object {
  const { tls, redis, removalKey, access, webhook, ...rest } = configuration
  const told = (secret: string | undefined) => (secret === undefined ? null : '[redacted]')
  return {
    ...rest,
    tls: tls === undefined ? null : { key: '[redacted]' },
    redis: redis === undefined ? null : { ...redis, urls: redis.urls.map(withoutPassword) },
    removalKey: removalKey === undefined ? null : '[redacted]',
    access: {
      secret: told(access.secret),
      secrets: told(access.secrets),
      publicKeys: access.publicKeys ?? null,
      jwks: access.jwks ?? null,
    },
    webhook: webhook === undefined ? null : { url: webhook.url, secret: '[redacted]' },
    metrics: configuration.metrics ?? null,
  }
}

function invalid(message: string, remedy = 'conclave-keyserver --help'): ConfigurationError {
  return new ConfigurationError('configuration-invalid', message, { remedy })
}

function readText(path: string, source: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw invalid(`${source}: cannot read ${path}: ${code}`)
  }
}

export type Secrets = { readonly [name in keyof typeof secretVariables]: string | undefined }

/** @throws ConfigurationError where one is given twice, or its file cannot be read */
export function readSecrets(environment: Environment): Secrets {
  const read = (variable: string): string | undefined => {
    const value = environment[variable] || undefined
    const path = environment[`${variable}_FILE`] || undefined
    if (path === undefined) return value
    if (value !== undefined) throw invalid(`${variable} and ${variable}_FILE are both given`)
    // A file that a person has written ends with a line end.
    return readText(path, `${variable}_FILE`).trim() || undefined
  }
  return {
    secret: read(secretVariables.secret),
    secrets: read(secretVariables.secrets),
    webhookSecret: read(secretVariables.webhookSecret),
    redisUrl: read(secretVariables.redisUrl),
  }
}

/** Tokens pass this port: beyond this machine it is TLS, or the operator's word that a proxy does it. */
function tlsOf(
  cert: string | undefined,
  key: string | undefined,
  { host, behindTlsProxy }: { readonly host: string; readonly behindTlsProxy: boolean },
  hostSource: string,
): Configuration['tls'] {
  if (cert !== undefined && key !== undefined) return { cert, key }
  if (cert !== undefined || key !== undefined) {
    throw invalid(
      '--tls-cert and --tls-key: one is missing',
      'TLS needs both, or CONCLAVE_KEYSERVER_TLS_CERT and CONCLAVE_KEYSERVER_TLS_KEY',
    )
  }
  if (behindTlsProxy || isLoopbackHost(host)) return undefined
  throw invalid(
    `${hostSource}: without TLS the keyserver listens on loopback only, not on "${host}"`,
    'Give --tls-cert and --tls-key, or --behind-tls-proxy where a proxy in front ends TLS.',
  )
}

function removalKeyOf(pem: string | undefined, source: string): Bytes | undefined {
  if (pem === undefined) return undefined
  const key = readRemovalKey(pem)
  if (key !== undefined) return key
  throw invalid(
    `${source}: expected a PEM file with an Ed25519 private key`,
    'Make one with: openssl genpkey -algorithm ed25519',
  )
}

function webhookOf(
  url: string,
  secret: string | undefined,
  source: string,
): Configuration['webhook'] {
  if (secret === undefined) {
    throw invalid(
      `${secretVariables.webhookSecret}: webhooks are signed, and need a secret`,
      'Make one with: echo "whsec_$(openssl rand -base64 32)"',
    )
  }
  try {
    webhookSender({ url, secret, fetch, clock: systemClock })
    return { url, secret }
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error
    const where = error.code === 'webhook-url-refused' ? source : secretVariables.webhookSecret
    throw invalid(`${where}: ${error.message}`, error.remedy)
  }
}

function checkedKeys(
  kind: keyof AccessKeyTexts,
  text: string | undefined,
  source: string,
): string | undefined {
  try {
    readAccessKeys({ [kind]: text }, fetch)
    return text
  } catch (error) {
    if (!(error instanceof AccessError)) throw error
    throw invalid(`${source}: ${error.message}`, error.remedy)
  }
}

function refusePassword(urls: string): void {
  if (!/\/\/[^/@]*@/.test(urls)) return
  throw invalid(
    '--redis: a password in a flag shows in the list of processes',
    'Put the URL into REDIS_URL, or into a file that REDIS_URL_FILE names.',
  )
}

function withoutPassword(address: string): string {
  const url = new URL(address)
  if (url.password !== '') url.password = 'redacted'
  return url.href
}
