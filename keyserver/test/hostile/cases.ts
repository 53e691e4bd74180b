import type { RequestName } from '@conclave/core/delivery'
import fc from 'fast-check'
import { requestNames } from '../support/requests.ts'
import { wildIds } from './hostileSession.ts'

/**
 * One step of a hostile client. `chance` decides what cannot be said before the attack, such as
 * which valid message is damaged where.
 */
export type Step =
  | {
      readonly kind: 'request'
      readonly name: RequestName
      readonly twist: Twist
      readonly chance: number
      readonly acknowledgement: 'one' | 'none' | 'same-id'
    }
  | { readonly kind: 'event'; readonly name: string; readonly chance: number }
  /** Proves the leaf of a member, who lends its key. */
  | { readonly kind: 'attach'; readonly chance: number }
  | { readonly kind: 'packet'; readonly text: string }
  | { readonly kind: 'binary'; readonly length: number }
  /** Declares so many attachments, has such placeholders and sends so many. */
  | {
      readonly kind: 'attachments'
      readonly declared: number
      readonly placeholders: readonly unknown[]
      readonly sent: number
      readonly length: number
    }
  | {
      readonly kind: 'frame'
      readonly opcode: number
      readonly fin: boolean
      readonly reserved: number
      readonly masked: boolean
      readonly claimedLength: number | undefined
      readonly length: number
    }
  | { readonly kind: 'connect'; readonly token: TokenKind; readonly times: number }

export type Twist = (typeof twists)[number]
const twists = [
  'valid',
  'field',
  'damaged',
  'swapped',
  'stale',
  'missing',
  'undeclared',
  'payload',
  'arguments',
] as const

export type TokenKind = (typeof tokenKinds)[number]
export const tokenKinds = [
  'good',
  'other-meeting',
  'no-join',
  'expired',
  'other-key',
  'no-algorithm',
  'other-algorithm',
  'damaged',
  'huge',
  'no-string',
  'none',
] as const

export type MeetingKind = 'arena' | 'other-arena' | 'lonely' | 'quiet'

interface Origin {
  /** Of so many addresses and identities. */
  readonly address: number
  readonly identity: number
}

export type HostileCase = Origin &
  (
    | {
        readonly kind: 'session'
        readonly token: TokenKind
        readonly meeting: MeetingKind
        readonly enters: boolean
        readonly follows: boolean
        /** Waits for each reply. */
        readonly polite: boolean
        readonly steps: readonly Step[]
        readonly ending: 'leave' | 'cut' | 'abandon'
      }
    | { readonly kind: 'handshake'; readonly head: string; readonly abandoned: boolean }
    | {
        readonly kind: 'http'
        readonly method: string
        readonly path: string
        readonly body: string
        readonly headers: Readonly<Record<string, string>>
        /** Has a token that lets it manage one of the attackers' meetings. */
        readonly manages: boolean
      }
    | { readonly kind: 'requests'; readonly name: RequestName; readonly times: number }
    | { readonly kind: 'connections'; readonly token: TokenKind; readonly times: number }
    | { readonly kind: 'slow-reader'; readonly times: number }
  )

export const addresses = 12
export const identities = 4
export const lonelyMeetings = 6

const chance = fc.nat({ max: 2 ** 31 - 1 })
const requestName = fc.constantFrom(...requestNames)
/** Those that are read as MLS. */
const mlsRequestName = fc.constantFrom<RequestName>(
  'create',
  'wait',
  'propose',
  'commit',
  'report',
  'giveBack',
  'offer',
  'continue',
  'send',
  'publish',
)

const request: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('request' as const),
  name: requestName,
  twist: fc.constantFrom(...twists),
  chance,
  acknowledgement: fc.oneof(
    { weight: 30, arbitrary: fc.constant('one' as const) },
    { weight: 1, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.constant('same-id' as const) },
  ),
})
const mlsRequest: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('request' as const),
  name: mlsRequestName,
  twist: fc.constantFrom('valid', 'damaged', 'damaged', 'damaged', 'swapped', 'stale', 'field'),
  chance,
  acknowledgement: fc.constant('one' as const),
})
const eventName = fc.oneof(
  fc.constantFrom(
    '',
    'connect',
    'connect_error',
    'disconnect',
    'disconnecting',
    'newListener',
    'removeListener',
    'error',
    'entry',
    'closed',
    'message',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    'Enter',
    'enter ',
    '\0',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
)
const event: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('event' as const),
  name: eventName,
  chance,
})

const namespace = fc.constantFrom('/delivery,', '', '/,', '/other,', '/delivery', '/delivery?a=1,')
const json = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.constantFrom(
    '["enter"]',
    '["enter",{"protocol":1,"meetingId":"standup"}]',
    '["enter",{"__proto__":{"protocol":1},"meetingId":"standup"}]',
    '["tree",{"constructor":{"prototype":{"groupId":1}}}]',
    '[5,{}]',
    '[null]',
    '[]',
    '["resume",{"groupId":{"type":"Buffer","data":[1,2,3]},"after":0}]',
    '["enter",{"protocol":NaN}]',
    '["enter",{"protocol":1e400,"meetingId":"a"}]',
    '{"token":{"__proto__":[]}}',
    `["enter",${'['.repeat(3000)}${']'.repeat(3000)}]`,
    `["enter",${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}]`,
    `["claim",{"identity":"${'x'.repeat(100_000)}"}]`,
  ),
)
/** Packets of engine.io with packets of socket.io in them, well-formed or not. */
const packet: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('packet' as const),
  text: fc.oneof(
    fc
      .tuple(
        fc.constantFrom('40', '41', '42', '43', '44', '45', '451-', '46', '461-', '47', '4'),
        namespace,
        fc.oneof(
          fc.constant(''),
          fc.integer({ min: wildIds, max: 2 ** 31 }).map(String),
          fc.constantFrom('9007199254740993', '-1', '99999999999999999999'),
        ),
        json,
      )
      .map((parts) => parts.join('')),
    fc.string({ maxLength: 60 }),
    fc.constantFrom('', '0', '1', '2', '2probe', '3', '5', '6', '7', 'b', 'bAAAA', '4', '42', '\0'),
    fc.constantFrom('4510000000-["a"]', '45-1-["a"]', '451.5-["a"]', '45999-/delivery,["a"]'),
  ),
})
const smallLength = fc.oneof(fc.nat({ max: 300 }), fc.constantFrom(0, 1, 125, 126, 65_535, 65_536))
const binary: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('binary' as const),
  length: smallLength,
})
const attachments: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('attachments' as const),
  declared: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.constantFrom(0, 11, 1000, 2 ** 31)),
  placeholders: fc.array(
    fc.constantFrom<unknown>(0, 1, 9, -1, 1e9, 0.5, '0', 'length', '__proto__', null, true, {}),
    { maxLength: 4 },
  ),
  sent: fc.nat({ max: 10 }),
  length: smallLength,
})
const frame: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('frame' as const),
  opcode: fc.nat({ max: 15 }),
  fin: fc.boolean(),
  reserved: fc.constantFrom(0, 0, 0, 1, 4, 7),
  masked: fc.constantFrom(true, true, true, false),
  claimedLength: fc.option(
    fc.constantFrom(0, 125, 65_536, 4 << 20, (4 << 20) + 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
    { nil: undefined },
  ),
  length: smallLength,
})
const connect: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('connect' as const),
  token: fc.constantFrom(...tokenKinds),
  times: fc.integer({ min: 1, max: 40 }),
})
const attach: fc.Arbitrary<Step> = fc.record({ kind: fc.constant('attach' as const), chance })

const step = fc.oneof(
  { weight: 10, arbitrary: request },
  { weight: 12, arbitrary: mlsRequest },
  { weight: 2, arbitrary: event },
  { weight: 2, arbitrary: attach },
  { weight: 2, arbitrary: packet },
  { weight: 1, arbitrary: binary },
  { weight: 1, arbitrary: attachments },
  { weight: 1, arbitrary: frame },
  { weight: 1, arbitrary: connect },
)

const origin = {
  address: fc.nat({ max: addresses - 1 }),
  identity: fc.nat({ max: identities - 1 }),
}
const mostlyGood = fc.oneof(
  { weight: 8, arbitrary: fc.constant<TokenKind>('good') },
  { weight: 2, arbitrary: fc.constantFrom(...tokenKinds) },
)
const often = fc.constantFrom(true, true, true, false)

const session: fc.Arbitrary<HostileCase> = fc.record({
  kind: fc.constant('session' as const),
  ...origin,
  token: mostlyGood,
  meeting: fc.constantFrom('arena', 'arena', 'other-arena', 'lonely', 'quiet'),
  enters: often,
  follows: fc.boolean(),
  polite: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 20, size: 'small' }),
  ending: fc.constantFrom('leave', 'cut', 'cut', 'abandon'),
})

const upgradeLines = [
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const otherLines = [
  'GET /socket.io/?EIO=4&transport=polling HTTP/1.1',
  'GET /socket.io/?EIO=3&transport=websocket HTTP/1.1',
  'GET /socket.io/?EIO=4&transport=websocket&sid=__proto__ HTTP/1.1',
  'GET /socket.io/?EIO=4&transport=websocket&transport=polling HTTP/1.1',
  'GET /socket.io/%00?EIO=4&transport=websocket HTTP/1.1',
  'GET //socket.io//?EIO=4&transport=websocket HTTP/1.1',
  'GET http://[::1/socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'POST /socket.io/?EIO=4&transport=websocket HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'CONNECT elsewhere:443 HTTP/1.1',
  'GET / HTTP/9.9',
  'Sec-WebSocket-Version: 99',
  'Sec-WebSocket-Key: x',
  'Sec-WebSocket-Key: ',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99',
  'Sec-WebSocket-Extensions: permessage-deflate',
  'Sec-WebSocket-Protocol: ,,,',
  'Upgrade: h2c',
  'Connection: close',
  'Transfer-Encoding: chunked',
  'Content-Length: -1',
  'Content-Length: 99999999',
  'Expect: 100-continue',
  'Origin: null',
  'X-Forwarded-For: ::ffff:1.2.3.4, [::1]:80, ,',
  'X-Forwarded-For: http://a/b',
  `X-Forwarded-For: ${'1.2.3.4,'.repeat(500)}`,
  `Cookie: ${'a=b; '.repeat(5000)}`,
  'a\0b: c',
]
/** Up to one or two lines other than a good client's, whole or broken off. */
const handshake: fc.Arbitrary<HostileCase> = fc
  .record({
    replaced: fc.array(
      fc.record({ at: fc.nat({ max: upgradeLines.length }), line: fc.constantFrom(...otherLines) }),
      { minLength: 1, maxLength: 2 },
    ),
    kept: fc.oneof(
      { weight: 4, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
    ),
    ...origin,
    abandoned: fc.boolean(),
  })
  .map(({ replaced, kept, abandoned, ...from }) => {
    const lines = [...upgradeLines]
    for (const { at, line } of replaced) lines[at] = line
    const head = `${lines.join('\r\n')}\r\n\r\n`
    return { kind: 'handshake', ...from, head: head.slice(0, kept * head.length), abandoned }
  })

const http: fc.Arbitrary<HostileCase> = fc.record({
  kind: fc.constant('http' as const),
  ...origin,
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'),
  path: fc.oneof(
    fc.constantFrom(
      '/',
      '/healthz',
      '/readyz',
      '/metrics',
      '/dev/token',
      '/v1/meetings',
      '/v1/meetings?cursor=%00&limit=1e9',
      '/v1/meetings/__proto__',
      '/v1/meetings/quiet',
      '/v1/meetings/quiet/',
      '/v1//meetings/quiet',
      '/v1/meetings/lonely-1',
      '/v1/meetings/lonely-1/../quiet',
      '/v1/meetings/lonely-1%2f..%2fquiet',
      '/v1/meetings/lonely-1/log?after=-1',
      '/v1/meetings/lonely-1/log?after=9007199254740993',
      '/v1/meetings/quiet/log',
      '/v1/meetings/quiet/removals',
      '/v1/meetings/lonely-1/removals',
      '/v1/tokens',
      '/v1/directory/alice',
      '/v1/dead-letters',
      '/v1/dead-letters/__proto__/retry',
      '/v1/metrics',
      '/socket.io/',
      '/socket.io/?EIO=4&transport=polling',
      '/..%2f..%2fetc%2fpasswd',
      '/%',
      '/dev/token?x',
    ),
    fc.webPath(),
  ),
  body: fc.oneof(
    fc.constantFrom(
      '',
      '{',
      'null',
      '[]',
      '{"identity":"attacker-0","meeting":"lonely-0"}',
      '{"identity":"","meeting":""}',
      '{"identity":"alice","meeting":"quiet"}',
      '{"identity":"alice","meeting":"*"}',
      '{"identity":"attacker-0","meeting":"lonely-1","ttlSeconds":1e308}',
      '{"identity":"attacker-0","meeting":"lonely-1","grants":{"manage":true}}',
      '{"leaf":0}',
      '{"leaf":4294967296}',
      '{"identity":{},"meeting":[]}',
      '{"__proto__":{"identity":"a","meeting":"b"}}',
      `{"identity":"${'a'.repeat(5000)}"}`,
      '['.repeat(4000),
    ),
    fc.json(),
  ),
  headers: fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { authorization: 'Bearer ' },
    { authorization: `Bearer ${'a'.repeat(8000)}` },
    { authorization: 'Basic YTpi' },
    { 'content-type': 'application/json' },
    { 'content-type': 'text/plain', 'x-forwarded-for': '127.0.0.1' },
  ),
  manages: fc.boolean(),
})
const requests: fc.Arbitrary<HostileCase> = fc.record({
  kind: fc.constant('requests' as const),
  ...origin,
  name: requestName,
  times: fc.integer({ min: 50, max: 600 }),
})
const connections: fc.Arbitrary<HostileCase> = fc.record({
  kind: fc.constant('connections' as const),
  ...origin,
  token: fc.constantFrom(...tokenKinds),
  times: fc.integer({ min: 5, max: 80 }),
})
const slowReader: fc.Arbitrary<HostileCase> = fc.record({
  kind: fc.constant('slow-reader' as const),
  ...origin,
  times: fc.integer({ min: 1, max: 60 }),
})

const hostileCase: fc.Arbitrary<HostileCase> = fc.oneof(
  { weight: 60, arbitrary: session },
  { weight: 14, arbitrary: handshake },
  { weight: 20, arbitrary: http },
  { weight: 1, arbitrary: requests },
  { weight: 1, arbitrary: connections },
  { weight: 1, arbitrary: slowReader },
)

/** Cases from..to of a seed's, without those before them: each batch has a seed of its own. */
export function casesOf(seed: number, batch: number, count: number): readonly HostileCase[] {
  return fc.sample(hostileCase, { seed: (seed + Math.imul(batch, 0x9e3779b1)) | 0, numRuns: count })
}
