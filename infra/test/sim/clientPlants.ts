import type { DeliveryTransport, SessionStore } from '@conclave/client'
import { type Bytes, decode, utf8 } from '@conclave/core/codec'
import { Secret, type SecretCrypto, type SecretSuite } from '@conclave/core/crypto/secret'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import type { ReplyTo, RequestName, RequestOf } from '@conclave/core/delivery'
import { Group } from '@conclave/core/mls/group'
import { MlsMessage, type PublicMessage, SenderType } from '@conclave/core/wire'
import { LogFollower } from '../../../client-sdk/src/session/logFollower.ts'
import { labelOf } from '../../../core/test/mls/evolution/people.ts'
import { randomBytesOf } from '../../sim/chance.ts'
import type { Plant } from '../../sim/plant.ts'

/** The transport, with another answer to one kind of request. */
function answering<A extends 'commit' | 'continue'>(
  transport: DeliveryTransport,
  asked: A,
  answer: (request: RequestOf<A>, reply: () => Promise<ReplyTo<A>>) => Promise<ReplyTo<A>>,
): DeliveryTransport {
  return {
    start: (events) => transport.start(events),
    close: () => transport.close(),
    request: <N extends RequestName>(name: N, request: RequestOf<N>): Promise<ReplyTo<N>> => {
      const honest = () => transport.request(name, request)
      if ((name as RequestName) !== asked) return honest()
      const reply = honest as unknown as () => Promise<ReplyTo<A>>
      return answer(request as unknown as RequestOf<A>, reply) as unknown as Promise<ReplyTo<N>>
    },
  }
}

/** A provider with some of each suite's operations done otherwise. */
export function otherwise(
  crypto: SecretCrypto,
  change: (suite: SecretSuite) => Partial<SecretSuite>,
): SecretCrypto {
  return {
    publicSuite: (id) => crypto.publicSuite(id),
    secretSuite: (id) => {
      const suite = crypto.secretSuite(id)
      return suite && { ...suite, ...change(suite) }
    },
  }
}

/** Something that a class does otherwise for the time of a run. */
export function patched<T extends object, K extends keyof T>(target: T, name: K, value: T[K]) {
  return () => {
    const original = target[name]
    target[name] = value
    return () => {
      target[name] = original
    }
  }
}

const unstored = (key: string) => key.endsWith('/incarnation')

const forgetful = (store: SessionStore): SessionStore => ({
  ...store,
  write: (changes) => store.write(new Map([...changes].filter(([key]) => !unstored(key)))),
})

/** What is written is there with the next write, after it is needed. */
function late(store: SessionStore): SessionStore {
  let waiting: ReadonlyMap<string, Bytes | undefined> = new Map()
  return {
    ...store,
    write: async (changes) => {
      await store.write(waiting)
      waiting = new Map(changes)
    },
  }
}

/** Bugs of clients: what a session, its group or its store might do wrong. */
export const clientPlants: readonly Plant[] = [
  {
    name: 'a session applies its own commit before the log has it',
    seams: {
      transport: (transport) =>
        answering(transport, 'commit', async ({ after }, reply) => {
          reply().catch(() => {})
          return { ok: true, seq: after + 1, durable: false }
        }),
    },
  },
  {
    name: 'a session takes the commit that won for its own',
    seams: {
      transport: (transport) =>
        answering(transport, 'commit', async ({ after }, reply) => {
          const answer = await reply()
          if (answer.ok || answer.code !== 'epoch-mismatch') return answer
          return { ok: true, seq: after + 1, durable: false }
        }),
    },
  },
  {
    name: 'a founder goes on before the keyserver has taken the next group',
    seams: {
      transport: (transport) =>
        answering(transport, 'continue', async (_, reply) => {
          reply().catch(() => {})
          return { ok: true, durable: false }
        }),
    },
  },
  {
    name: 'a session keeps the exporter of its first epoch',
    seams: {
      crypto: (crypto) => {
        let first: Bytes | undefined
        return otherwise(crypto, (suite) => ({
          expand: (key, info, length) => {
            const expanded = suite.expand(key, info, length)
            if (labelOf(info) !== 'exporter') return expanded
            first ??= expanded.slice()
            return first.slice()
          },
        }))
      },
    },
  },
  {
    name: 'members derive exporters of their own',
    seams: {
      crypto: (crypto, name) =>
        otherwise(crypto, (suite) => ({
          expand: (key, info, length) => {
            const expanded = suite.expand(key, info, length)
            return labelOf(info) === 'exporter' ? suite.extract(utf8(name), expanded) : expanded
          },
        })),
    },
  },
  {
    name: 'a copy of each exporter is left behind',
    seams: {
      crypto: (crypto) =>
        otherwise(crypto, (suite) => ({
          expand: (key, info, length) => {
            const expanded = suite.expand(key, info, length)
            return labelOf(info) === 'exporter' ? expanded.slice() : expanded
          },
        })),
    },
  },
  {
    name: 'the commit secret is left out of the key schedule',
    seams: {
      crypto: (crypto) =>
        otherwise(crypto, (suite) => ({
          extract: (salt) => suite.extract(salt, new Uint8Array(suite.suite.Nh)),
        })),
    },
  },
  {
    name: 'a member forgets that the keyserver wants somebody removed',
    install: patched(Group.prototype, 'receive', forgettingRemovals(Group.prototype.receive)),
  },
  {
    name: 'a client skips an entry of the log now and then',
    install: patched(LogFollower.prototype, 'accepts', skipping(LogFollower.prototype.accepts)),
  },
  {
    name: 'the incarnation of a frame cryptor is not stored',
    seams: { sessionStore: forgetful },
  },
  {
    name: 'the incarnation is stored after its use instead of before',
    seams: { sessionStore: late },
  },
  {
    name: 'a process that starts again draws the same random bytes',
    seams: {
      crypto: (_, name) => {
        const [person = name] = name.split('#')
        return nodeCrypto({ random: randomBytesOf('again', person), deterministic: true })
      },
    },
  },
  {
    name: 'a session that has ended stays connected',
    seams: {
      transport: (transport) => ({
        start: (events) => transport.start(events),
        request: (name, request) => transport.request(name, request),
        close: () => {},
      }),
    },
  },
  {
    name: 'a group that is over is not closed',
    install: patched(Group.prototype, 'close', () => {}),
  },
  {
    name: 'secrets are not wiped',
    install: patched(Secret.prototype, 'wipe', () => {}),
  },
]

function forgettingRemovals(receive: Group['receive']): Group['receive'] {
  return function (this: Group, message) {
    const { publicMessage } = decode(MlsMessage, message) as { publicMessage?: PublicMessage }
    const isExternal = publicMessage?.content.sender.senderType === SenderType.external
    if (isExternal) return Promise.resolve({ kind: 'proposal', ref: new Uint8Array(32) })
    return receive.call(this, message)
  }
}

function skipping(accepts: LogFollower['accepts']): LogFollower['accepts'] {
  return function (this: LogFollower, entry) {
    return accepts.call(this, entry) && entry.seq % 5 !== 0
  }
}
