import { DeviceDirectory, type Invitation } from '@conclave/client'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import { randomBytesOf } from '../chance.ts'
import type { Device, Surroundings } from './life.ts'
import { SimTransport } from './transport.ts'

/**
 * What of the application runs while its user is away: publishes the device's KeyPackages, and tells
 * when somebody has added it to the meeting.
 */
export function openDoorbell(
  identity: string,
  { clock, disk }: Device,
  around: Surroundings,
  rung: (invitation: Invitation) => void,
): void {
  const { chance, network, cluster, met, results, trace } = around
  const name = `${identity} away`
  const random = randomBytesOf(chance.of('keys', name).whole(0, 2 ** 30), name)
  DeviceDirectory.open({
    keyserver: 'https://keys.example',
    token: async () => '',
    identity: { id: identity },
    store: disk.storeOf(() => true),
    clock,
    random,
    crypto: results.secret(nodeCrypto({ random, deterministic: true })),
    transport: () =>
      new SimTransport({
        name,
        identity,
        clock,
        chance: chance.of('transport', name),
        network,
        cluster,
        met,
        arrived: () => {},
        trace: (line) => trace(`${name} ${line}`),
      }),
  })
    .on('invited', rung)
    .on('problem', ({ code }) => trace(`${name} problem ${code}`))
}
