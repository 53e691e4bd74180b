import {
  maxApplicationMessageBytes,
  maxKeyPackageBytes,
  maxMessageBytes,
  maxProposalBytes,
  type RequestName,
} from '@conclave/core/delivery'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import { requestNames, wellFormed } from '../../../keyserver/test/support/requests.ts'
import type { TestClient } from '../../../keyserver/test/support/testClient.ts'
import { type Check, has, holds, same } from '../check.ts'
import type { Site } from '../site.ts'

const malformed = { ok: false, code: 'request-malformed' }
const unknownGroup = { ok: false, code: 'group-unknown' }

/** Another connection to the same keyserver is served as if nothing had happened. */
async function isServed(client: TestClient): Promise<void> {
  has('somebody else’s request', await client.send('resume', wellFormed.resume), unknownGroup)
}

async function isCut(site: Site, client: TestClient, why: string): Promise<void> {
  const cut = () => !client.socket.connected
  await eventually(`the end of the connection ${why}`, cut, site.patienceMs)
}

export const hostileInput: readonly Check[] = [
  {
    id: 'malformed.payload',
    promise: 'a request with anything else than one object is refused as malformed',
    section: 'Refusals',
    run: async (site) => {
      for (const name of requestNames) {
        const client = await site.entered()
        for (const payload of [null, 7, 'x', true, [], new Uint8Array(3), {}]) {
          has(
            `${name} with ${JSON.stringify(payload)}`,
            await client.send(name, payload),
            malformed,
          )
        }
        has(`${name} with nothing`, await client.send(name), malformed)
        const two = await client.send(name, wellFormed[name], wellFormed[name])
        has(`${name} with two objects`, two, malformed)
        await isServed(client)
      }
    },
  },
  {
    id: 'malformed.field',
    promise: 'a request without one of its fields, or with a wrong one, is refused as malformed',
    section: 'Refusals',
    run: async (site) => {
      for (const name of requestNames) {
        const client = await site.entered()
        for (const field of Object.keys(wellFormed[name])) {
          const { [field]: _, ...incomplete } = wellFormed[name]
          has(`${name} without ${field}`, await client.send(name, incomplete), malformed)
          for (const wrong of [{}, ['x'], true, -1, 1.5, 2 ** 60, '']) {
            const reply = await client.send(name, { ...incomplete, [field]: wrong })
            has(`${name} with ${field} ${JSON.stringify(wrong)}`, reply, malformed)
          }
        }
        await isServed(client)
      }
    },
  },
  {
    id: 'malformed.name',
    promise: 'a request that there is not is refused, whatever it is called',
    section: 'Refusals',
    run: async (site) => {
      const client = await site.entered()
      for (const name of ['destroy', 'constructor', '__proto__', 'toString', 'entry', '']) {
        has(`a request "${name}"`, await client.send(name, {}), malformed)
      }
      await isServed(client)
    },
  },
  {
    id: 'fields.unknown',
    promise: 'fields that this version does not know are ignored',
    section: 'Requests',
    run: async (site) => {
      const client = await site.entered()
      const request = { ...wellFormed.resume, shoeSize: 42 }
      has('the request', await client.send('resume', request), unknownGroup)
    },
  },
  {
    id: 'acknowledgement.none',
    promise: 'a request without an acknowledgement ends its connection, and no other',
    section: 'Requests',
    run: async (site) => {
      const [good, bad] = [await site.entered(), await site.entered()]
      const untyped: { emit(name: string, ...args: unknown[]): unknown } = bad.socket
      untyped.emit('resume', wellFormed.resume)
      await isCut(site, bad, 'after a request without acknowledgement')
      await isServed(good)
    },
  },
  {
    id: 'size.field',
    promise: 'a field beyond its bounds is refused as that, and one within them is looked at',
    section: 'Refusals',
    run: async (site) => {
      const bounds: readonly [RequestName, string, number][] = [
        ['wait', 'keyPackage', maxKeyPackageBytes],
        ['wait', 'groupId', 256],
        ['attach', 'signature', 256],
        ['propose', 'message', maxProposalBytes],
        ['commit', 'welcome', maxMessageBytes],
        ['commit', 'groupInfo', maxMessageBytes],
        ['tree', 'treeHash', 256],
        ['report', 'signature', 256],
        ['giveBack', 'groupInfo', maxMessageBytes],
        ['send', 'message', maxApplicationMessageBytes],
      ]
      const client = await site.entered()
      for (const [name, field, limit] of bounds) {
        const sized = (size: number) => ({ ...wellFormed[name], [field]: new Uint8Array(size) })
        const large = await client.send(name, sized(limit + 1))
        has(`${name} with too large a ${field}`, large, { ok: false, code: 'payload-too-large' })
        const fitting = await client.send(name, sized(limit))
        has(`${name} with as large a ${field} as may be`, fitting, unknownGroup)
      }
    },
  },
  {
    id: 'size.packet',
    promise: 'a packet over 4 MiB ends its connection, and no other',
    section: 'Refusals',
    run: async (site) => {
      const [good, bad] = [await site.entered(), await site.entered()]
      const message = new Uint8Array(5 << 20)
      const outcome = await bad.send('propose', { ...wellFormed.propose, message }).then(
        (reply) => reply,
        () => 'disconnected',
      )
      same('the request', outcome, 'disconnected')
      await isCut(site, bad, 'after a large packet')
      await isServed(good)
    },
  },
  {
    id: 'flood.refused',
    promise: 'who asks without pause is refused and in the end cut, and nobody else is',
    section: 'Refusals',
    needs: 'people',
    run: async (site) => {
      const good = await site.entered('somebody', site.newMeeting())
      const bad = await site.entered('flooder')
      const codes = new Set<unknown>()
      for (let sent = 0; sent < 2000; sent++) {
        bad.send('resume', wellFormed.resume).then(
          (reply) => codes.add((reply as { code?: unknown }).code),
          () => {},
        )
      }
      await isServed(good)
      await isCut(site, bad, 'after a flood')
      const seen = [...codes].sort()
      const refused = seen.every((code) => code === 'group-unknown' || code === 'rate-limited')
      holds('answers', refused, 'refusals alone', seen)
      await isServed(good)
    },
  },
]
