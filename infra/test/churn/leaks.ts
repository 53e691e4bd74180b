import type { DeliveryTransport, SessionStore } from '@conclave/client'
import type { SecretCrypto } from '@conclave/core/crypto/secret'
import { Healing } from '../../../client-sdk/src/session/healing.ts'
import { labelOf } from '../../../core/test/mls/evolution/people.ts'
import type { ChurnPlan } from '../../churn/churn.ts'
import type { ChurnSample } from '../../churn/churningMeeting.ts'
import type { Plant } from '../../sim/plant.ts'
import { otherwise, patched } from '../sim/clientPlants.ts'

/** Something that is kept for too long, and the figure that grows by it. */
export interface Leak {
  readonly name: string
  readonly figure: keyof ChurnSample
  readonly plan?: Partial<ChurnPlan>
  readonly plant?: Omit<Plant, 'name'>
}

export const leaks: readonly Leak[] = [
  {
    name: 'a client keeps a buffer for each notice that it gets',
    figure: 'heap bytes',
    plant: { seams: { transport: keepingBuffers } },
  },
  {
    name: 'the keyserver never trims the log',
    figure: 'log bytes',
    plan: { retainedBytes: Number.POSITIVE_INFINITY },
  },
  {
    name: 'a device keeps something of each place that it had',
    figure: 'session store bytes',
    plant: { seams: { sessionStore: keepingWrites } },
  },
  {
    name: 'a session that has ended goes on looking after its age',
    figure: 'timers',
    plant: { install: patched(Healing.prototype, 'stop', () => {}) },
  },
  {
    name: 'a client that leaves stays connected',
    figure: 'connections',
    plant: { seams: { transport: stayingConnected } },
  },
  {
    name: 'a copy of each exporter is left behind',
    figure: 'secrets',
    plant: { seams: { crypto: copyingExporters } },
  },
]

function keepingBuffers(transport: DeliveryTransport): DeliveryTransport {
  const kept: Uint8Array[] = []
  return {
    ...passing(transport),
    start: (events) =>
      transport.start({
        connected: () => events.connected(),
        disconnected: () => events.disconnected(),
        rejected: (code, message) => events.rejected(code, message),
        notice: (name, notice) => {
          kept.push(new Uint8Array(4096))
          events.notice(name, notice)
        },
      }),
  }
}

function stayingConnected(transport: DeliveryTransport): DeliveryTransport {
  return { ...passing(transport), close: () => {} }
}

function passing(transport: DeliveryTransport): DeliveryTransport {
  return {
    start: (events) => transport.start(events),
    request: (name, request) => transport.request(name, request),
    close: () => transport.close(),
  }
}

let written = 0

function keepingWrites(store: SessionStore): SessionStore {
  return {
    ...store,
    write: async (changes) => {
      written += 1
      await store.write(new Map([...changes, [`before/${written}`, new Uint8Array(64)]]))
    },
  }
}

function copyingExporters(crypto: SecretCrypto): SecretCrypto {
  return otherwise(crypto, (suite) => ({
    expand: (key, info, length) => {
      const expanded = suite.expand(key, info, length)
      return labelOf(info) === 'exporter' ? expanded.slice() : expanded
    },
  }))
}
