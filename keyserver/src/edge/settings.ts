import { Option } from 'commander'
import { z } from 'zod'
import { defaultHeartbeatMs, defaultIdleMs, defaultLimits } from '../limits.ts'

const listening = 'Listening:'
/** The heading that the settings begin with in `--help`. */
export const firstGroup = listening
const storing = 'Store:'
const access = 'Access:'
const meetings = 'Meetings:'
const operations = 'Operations:'

/** A flag, the variable that gives it too, and where `--help` shows it. */
interface Setting {
  readonly group: string
  readonly flags: string
  readonly variable: string
  readonly description: string
  readonly fallback?: string
}

/**
 * All that can be set by flag or variable. What is secret is no flag, since flags show in the list
 * of processes: `secretVariables`.
 */
const settings: readonly Setting[] = [
  {
    group: listening,
    flags: '--host <address>',
    variable: 'CONCLAVE_KEYSERVER_HOST',
    description: 'address to listen on',
    fallback: '127.0.0.1',
  },
  {
    group: listening,
    flags: '--port <port>',
    variable: 'CONCLAVE_KEYSERVER_PORT',
    description: 'port to listen on; 0 takes a free one',
    fallback: '4444',
  },
  {
    group: listening,
    flags: '--path <path>',
    variable: 'CONCLAVE_KEYSERVER_PATH',
    description: 'HTTP path of socket.io; the API is beside it, at …/v1',
    fallback: '/socket.io',
  },
  {
    group: listening,
    flags: '--tls-cert <file>',
    variable: 'CONCLAVE_KEYSERVER_TLS_CERT',
    description: 'PEM file with the certificate chain for TLS',
  },
  {
    group: listening,
    flags: '--tls-key <file>',
    variable: 'CONCLAVE_KEYSERVER_TLS_KEY',
    description: 'PEM file with its private key',
  },
  {
    group: listening,
    flags: '--behind-tls-proxy',
    variable: 'CONCLAVE_KEYSERVER_BEHIND_TLS_PROXY',
    description: 'a proxy in front ends TLS: listen beyond loopback without it',
  },
  {
    group: listening,
    flags: '--trusted-proxies <count>',
    variable: 'CONCLAVE_KEYSERVER_TRUSTED_PROXIES',
    description: 'proxies in front whose X-Forwarded-For is believed',
    fallback: '0',
  },
  {
    group: storing,
    flags: '--redis <urls>',
    variable: 'REDIS_URL',
    description:
      'redis:// or rediss:// URL; several with commas are nodes of one cluster; without it all is ' +
      'kept in memory. One with a password belongs into the variable',
  },
  {
    group: storing,
    flags: '--allow-lossy',
    variable: 'CONCLAVE_KEYSERVER_ALLOW_LOSSY',
    description: 'start although Redis may lose what it has acknowledged; every reply says so',
  },
  {
    group: storing,
    flags: '--removal-key <file>',
    variable: 'CONCLAVE_KEYSERVER_REMOVAL_KEY',
    description: 'PEM file (PKCS #8, Ed25519) with the key that proposes removals; generated else',
  },
  {
    group: access,
    flags: '--public-keys <file>',
    variable: 'CONCLAVE_ACCESS_PUBLIC_KEYS',
    description: 'PEM or JWK file with public keys that tokens are checked with',
  },
  {
    group: access,
    flags: '--jwks <url>',
    variable: 'CONCLAVE_ACCESS_JWKS',
    description: 'https URL or file of a JSON Web Key Set that tokens are checked with',
  },
  {
    group: meetings,
    flags: '--heartbeat-ms <ms>',
    variable: 'CONCLAVE_KEYSERVER_HEARTBEAT_MS',
    description: 'how often a connection is asked for a sign of life, and how long it may take',
    fallback: String(defaultHeartbeatMs),
  },
  {
    group: meetings,
    flags: '--grace-ms <ms>',
    variable: 'CONCLAVE_KEYSERVER_GRACE_MS',
    description: 'how long a member may be gone before it is removed',
    fallback: '10000',
  },
  {
    group: meetings,
    flags: '--idle-minutes <minutes>',
    variable: 'CONCLAVE_KEYSERVER_IDLE_MINUTES',
    description: 'how long a member may go without renewing its keys before it is removed',
    fallback: String(defaultIdleMs / 60_000),
  },
  {
    group: meetings,
    flags: '--max-meeting-hours <hours>',
    variable: 'CONCLAVE_KEYSERVER_MAX_MEETING_HOURS',
    description: 'how long a meeting may last before it is ended',
    fallback: '24',
  },
  {
    group: meetings,
    flags: '--max-meetings <count>',
    variable: 'CONCLAVE_KEYSERVER_MAX_MEETINGS',
    description: 'meetings with a group at a time, on one instance',
    fallback: String(defaultLimits.groups),
  },
  {
    group: meetings,
    flags: '--max-connections <count>',
    variable: 'CONCLAVE_KEYSERVER_MAX_CONNECTIONS',
    description: 'connections at a time, to one instance',
    fallback: String(defaultLimits.connections),
  },
  {
    group: meetings,
    flags: '--max-connections-per-address <count>',
    variable: 'CONCLAVE_KEYSERVER_MAX_CONNECTIONS_PER_ADDRESS',
    description: 'of one IPv4 address or IPv6 /64; all who come through an SFU have its address',
    fallback: String(defaultLimits.connectionsPerAddress),
  },
  {
    group: meetings,
    flags: '--max-connections-per-identity <count>',
    variable: 'CONCLAVE_KEYSERVER_MAX_CONNECTIONS_PER_IDENTITY',
    description: 'of the identity in their tokens',
    fallback: String(defaultLimits.connectionsPerIdentity),
  },
  {
    group: meetings,
    flags: '--max-connections-per-meeting <count>',
    variable: 'CONCLAVE_KEYSERVER_MAX_CONNECTIONS_PER_MEETING',
    description: 'in one meeting',
    fallback: String(defaultLimits.connectionsPerMeeting),
  },
  {
    group: meetings,
    flags: '--connection-attempts <per minute>',
    variable: 'CONCLAVE_KEYSERVER_CONNECTION_ATTEMPTS',
    description: 'of one address, a minute; requests to the API count too',
    fallback: String(defaultLimits.connectionAttemptsPerMinute),
  },
  {
    group: operations,
    flags: '--webhook-url <url>',
    variable: 'CONCLAVE_WEBHOOK_URL',
    description: 'https URL that is told what happens in meetings; needs CONCLAVE_WEBHOOK_SECRET',
  },
  {
    group: operations,
    flags: '--metrics-port <port>',
    variable: 'CONCLAVE_KEYSERVER_METRICS_PORT',
    description: 'serve Prometheus metrics at /metrics on a port of their own',
  },
  {
    group: operations,
    flags: '--metrics-host <address>',
    variable: 'CONCLAVE_KEYSERVER_METRICS_HOST',
    description: 'address of that port',
    fallback: '127.0.0.1',
  },
  {
    group: operations,
    flags: '--drain-ms <ms>',
    variable: 'CONCLAVE_KEYSERVER_DRAIN_MS',
    description: 'how long to go on serving, not ready, once asked to stop',
    fallback: '5000',
  },
  {
    group: operations,
    flags: '--log-level <level>',
    variable: 'CONCLAVE_KEYSERVER_LOG_LEVEL',
    description: 'debug, info, warn, error or silent',
    fallback: 'info',
  },
]

/** What comes from the environment or, under the name with `_FILE`, from a file. */
export const secretVariables = {
  secret: 'CONCLAVE_ACCESS_SECRET',
  /** Several, as JSON: by the `kid` that tokens name them by. */
  secrets: 'CONCLAVE_ACCESS_SECRETS',
  webhookSecret: 'CONCLAVE_WEBHOOK_SECRET',
  redisUrl: 'REDIS_URL',
} as const

const port = z.coerce.number('a port').int('a port').min(0, 'a port').max(65_535, 'a port')
const flag = z.union([z.boolean(), z.stringbool()], 'true or false').default(false)
const path = z.string().min(1, 'the path of a file').optional()
const milliseconds = z.coerce.number('milliseconds').int('milliseconds')
const count = z.coerce.number('a number').int('a whole number')

export const settingsSchema = z.object({
  host: z.string().min(1, 'an address to listen on'),
  port,
  path: z.string().regex(/^(\/[\w.~-]+)*\/socket\.io$/, 'a path that ends in /socket.io'),
  tlsCert: path,
  tlsKey: path,
  behindTlsProxy: flag,
  trustedProxies: count.min(0, 'at least 0').max(16, 'at most 16'),
  redis: z
    .string()
    .transform((urls) => urls.split(',').map((url) => url.trim()))
    .pipe(z.array(z.url({ protocol: /^rediss?$/, error: 'redis:// or rediss:// URLs' })))
    .optional(),
  allowLossy: flag,
  removalKey: path,
  publicKeys: path,
  jwks: z.string().min(1, 'a file or an https URL').optional(),
  heartbeatMs: milliseconds.min(1000, 'at least 1000').max(300_000, 'at most five minutes'),
  graceMs: milliseconds.min(100, 'at least 100').max(3.6e6, 'at most an hour'),
  // Members renew their keys every ten minutes at the latest.
  idleMinutes: z.coerce.number('minutes').min(15, 'at least 15').max(1440, 'at most 1440'),
  maxMeetingHours: z.coerce.number('hours').min(0.1, 'at least 0.1').max(720, 'at most 720'),
  maxMeetings: count.min(1, 'at least 1'),
  maxConnections: count.min(1, 'at least 1'),
  maxConnectionsPerAddress: count.min(1, 'at least 1'),
  maxConnectionsPerIdentity: count.min(1, 'at least 1'),
  maxConnectionsPerMeeting: count.min(1, 'at least 1'),
  connectionAttempts: count.min(1, 'at least 1'),
  webhookUrl: z.string().min(1, 'an https URL').optional(),
  metricsPort: port.optional(),
  metricsHost: z.string().min(1, 'an address to listen on'),
  drainMs: milliseconds.min(0, 'at least 0').max(600_000, 'at most ten minutes'),
  logLevel: z.enum(
    ['debug', 'info', 'warn', 'error', 'silent'],
    'debug, info, warn, error or silent',
  ),
})

/** The setting under the name that commander gives its value: `--grace-ms` is `graceMs`. */
export const settingsByName: ReadonlyMap<string, Setting & { readonly option: Option }> = new Map(
  settings.map((setting) => {
    const option = optionOf(setting)
    return [option.attributeName(), { ...setting, option }]
  }),
)

function optionOf({ group, flags, variable, description, fallback }: Setting): Option {
  const option = new Option(flags, `${description} [${variable}]`).helpGroup(group)
  return fallback === undefined ? option : option.default(fallback)
}
