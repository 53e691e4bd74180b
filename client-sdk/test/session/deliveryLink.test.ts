import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { SessionError } from '../../src/index.ts'
import { DeliveryLink } from '../../src/session/deliveryLink.ts'
import { Census } from './support/census.ts'
import { TestDelivery } from './support/delivery.ts'
import { type Port, refuse } from './support/port.ts'

function setup() {
  const delivery = new TestDelivery(new VirtualClock(), new Census().crypto)
  const events: string[] = []
  const port = delivery.port()
  const link = new DeliveryLink(port, {
    connected: () => events.push('connected'),
    disconnected: () => events.push('disconnected'),
    rejected: ({ detail }) => events.push(`rejected ${detail}`),
    successorRejected: ({ detail }) => events.push(`successor rejected ${detail}`),
    notice: (name) => events.push(name),
  })
  const enter = () => link.request('enter', { protocol: 1, meetingId: 'standup' })
  return { delivery, events, port, link, enter }
}

const resume = { groupId: new Uint8Array(16), after: 0 }
const closed = {
  name: 'closed',
  notice: { groupId: new Uint8Array(16), reason: 'shutdown' },
} as const
const present = { name: 'present', notice: { groupId: new Uint8Array(16), leaves: [] } } as const

/** A port that connects when the test says so. */
function slow(port: Port): Port {
  const connect = port.connect.bind(port)
  port.connect = () => {
    port.connect = connect
  }
  return port
}

async function codeOf(request: Promise<unknown>): Promise<string> {
  return await request.then(
    () => 'answered',
    (error: SessionError) => error.code,
  )
}

describe('DeliveryLink', () => {
  it('asks for nothing but to enter on a connection that has not entered', async () => {
    const { link, enter, port } = setup()
    link.start()
    expect(await codeOf(link.request('resume', resume))).toBe('keyserver-unreachable')
    expect(link.entered).toBe(false)
    await enter()
    expect(link.entered).toBe(true)
    expect(await link.request('resume', resume)).toMatchObject({ code: 'group-unknown' })
    expect(port.requests.map(({ name }) => name)).toEqual(['enter', 'resume'])
  })

  it('fails what is out as soon as the connection is gone', async () => {
    const { link, enter, port, events } = setup()
    link.start()
    await enter()
    port.tamper.resume = () => new Promise(() => {})
    const asked = codeOf(link.request('resume', resume))
    port.drop()
    expect(await asked).toBe('keyserver-unreachable')
    expect(events).toEqual(['connected', 'disconnected'])
  })

  it('fails what is out when a new connection stands, whether or not the old one was said to go', async () => {
    const { link, enter, port } = setup()
    link.start()
    await enter()
    port.tamper.resume = () => new Promise(() => {})
    const asked = codeOf(link.request('resume', resume))
    port.connect()
    expect(await asked).toBe('keyserver-unreachable')
    expect(link.entered).toBe(false)
  })

  it('takes no answer to enter from a connection that is gone', async () => {
    const { link, port, enter } = setup()
    port.tamper.enter = async (_, honest) => {
      const reply = await honest()
      port.drop()
      port.connect()
      return reply
    }
    link.start()
    expect(await codeOf(enter())).toBe('keyserver-unreachable')
    expect(link.entered).toBe(false)
  })

  it('has entered nothing any more when the keyserver says so', async () => {
    const { link, port, enter } = setup()
    link.start()
    await enter()
    port.tamper.resume = () => Promise.resolve(refuse('not-entered'))
    await link.request('resume', resume)
    expect(link.entered).toBe(false)
  })

  it('fails what is out when it is closed, and tells nothing from then on', async () => {
    const { link, port, enter, events } = setup()
    link.start()
    await enter()
    port.tamper.resume = () => new Promise(() => {})
    const asked = codeOf(link.request('resume', resume))
    link.close()
    link.close()
    expect(await asked).toBe('session-ended')
    expect(await codeOf(enter())).toBe('session-ended')
    port.connect()
    port.inject(present)
    port.reject('token-expired')
    expect(events).toEqual(['connected'])
    expect(port.closed).toBe(true)
  })

  it('goes on over the old transport until the new one is connected', async () => {
    const { delivery, link, port, enter, events } = setup()
    link.start()
    await enter()
    const next = slow(delivery.port())
    link.switchTo(next)
    expect(await link.request('resume', resume)).toMatchObject({ code: 'group-unknown' })
    port.inject(present)
    expect(port.closed).toBe(false)
    next.connect()
    expect(link.entered).toBe(false)
    await enter()
    expect(port.closed).toBe(true)
    await link.request('resume', resume)
    expect(next.count('resume')).toBe(1)
    next.inject(present)
    expect(events).toEqual(['connected', 'present', 'connected', 'present'])
  })

  it('hears what comes over the old transport until the new one has entered', async () => {
    const { delivery, link, port, enter, events } = setup()
    link.start()
    await enter()
    const next = delivery.port()
    link.switchTo(next)
    port.inject(closed)
    expect(events).toEqual(['connected', 'connected', 'closed'])
    await enter()
    port.inject(closed)
    expect(events).toEqual(['connected', 'connected', 'closed'])
  })

  it('lets go of the old transport when that is cut, and tells nothing of it', async () => {
    const { delivery, link, port, enter, events } = setup()
    link.start()
    await enter()
    link.switchTo(delivery.port())
    port.drop()
    expect(port.closed).toBe(true)
    expect(events).toEqual(['connected', 'connected'])
  })

  it('stays with the old transport where the new one is rejected', async () => {
    const { delivery, link, port, enter, events } = setup()
    link.start()
    await enter()
    const next = slow(delivery.port())
    link.switchTo(next)
    next.reject('token-wrong-meeting')
    expect(next.closed).toBe(true)
    expect(port.closed).toBe(false)
    expect(await link.request('resume', resume)).toMatchObject({ code: 'group-unknown' })
    expect(events).toEqual(['connected', 'successor rejected token-wrong-meeting'])
  })

  it('takes the newest of several that are to take over, and closes the others', async () => {
    const { delivery, link, port, enter } = setup()
    link.start()
    const [first, second] = [slow(delivery.port()), slow(delivery.port())]
    link.switchTo(first)
    link.switchTo(second)
    expect(first.closed).toBe(true)
    first.connect()
    expect(port.closed).toBe(false)
    second.connect()
    await enter()
    expect(port.closed).toBe(true)
    expect(second.closed).toBe(false)
  })

  it('closes both, old and new, and starts none afterwards', () => {
    const { delivery, link, port } = setup()
    link.start()
    const next = slow(delivery.port())
    link.switchTo(next)
    link.close()
    expect([port.closed, next.closed]).toEqual([true, true])
    const late = delivery.port()
    link.switchTo(late)
    expect(late.requests).toEqual([])
  })
})
