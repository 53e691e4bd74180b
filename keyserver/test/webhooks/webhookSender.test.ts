import { systemClock } from '@conclave/keyserver'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { webhookSender } from '../../src/edge/webhookSender.ts'
import type { WebhookEvent } from '../../src/jobs/jobs.ts'
import { eventually } from '../support/eventually.ts'
import { receiver } from './receiver.ts'

const secret = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`
const event: WebhookEvent = {
  id: 'msg_00112233',
  type: 'participant.joined',
  at: 1_700_000_000_000,
  meetingId: 'standup',
  groupId: 'aabb',
  epoch: 3,
  participant: { leaf: 1, identity: 'alice', deviceKey: 'ccdd' },
}

function sender(url: string, changes: Partial<Parameters<typeof webhookSender>[0]> = {}) {
  return webhookSender({ url, secret, fetch, clock: systemClock, ...changes })
}

describe('the webhook sender', () => {
  test('posts JSON that the receiver verifies with the library', async () => {
    const { url, deliveries } = await receiver()
    await sender(url)(event)
    const [delivery] = deliveries
    expect(delivery).toMatchObject({ method: 'POST', path: '/hooks?key=of-the-url' })
    expect(delivery?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': event.id,
    })
    const { headers = {}, body = '' } = delivery ?? {}
    expect(new Webhook(secret).verify(body, { ...headers })).toEqual(event)
  })

  test('what was changed on the way does not verify', async () => {
    const { url, deliveries } = await receiver()
    await sender(url)(event)
    const { headers = {}, body = '' } = deliveries[0] ?? {}
    const verifier = new Webhook(secret)
    const other = new Webhook(`whsec_${Buffer.alloc(32, 1).toString('base64')}`)
    expect(() => verifier.verify(body.replace('alice', 'mallory'), { ...headers })).toThrow()
    expect(() => verifier.verify(body, { ...headers, 'webhook-id': 'msg_other' })).toThrow()
    expect(() => other.verify(body, { ...headers })).toThrow()
    const old = `${Number(headers['webhook-timestamp']) - 3_600}`
    expect(() => verifier.verify(body, { ...headers, 'webhook-timestamp': old })).toThrow()
  })

  test.each([500, 429, 400, 302])(
    'an answer %i is a refusal, to be tried again',
    async (status) => {
      const { url, deliveries } = await receiver((response) =>
        response.writeHead(status, { location: '/elsewhere' }).end(),
      )
      await expect(sender(url)(event)).rejects.toMatchObject({
        code: 'webhook-refused',
        message: `the receiver answered ${status}`,
      })
      expect(deliveries).toHaveLength(1)
    },
  )

  test('after 410 Gone it is not tried again', async () => {
    const { url } = await receiver((response) => response.writeHead(410).end())
    await expect(sender(url)(event)).rejects.toMatchObject({ code: 'job-abandoned' })
  })

  test('an answer without end is not read', async () => {
    let cut = false
    const { url } = await receiver((response) => {
      response.writeHead(200)
      const flood = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', flood).on('close', () => {
        cut = true
      })
      flood()
    })
    await sender(url)(event)
    await eventually('the connection’s end', () => cut)
  })

  test('a receiver that does not answer is left after ten seconds', async () => {
    const clock = new VirtualClock()
    const { url, deliveries } = await receiver(() => {})
    const sent = sender(url, { clock })(event)
    const failed = expect(sent).rejects.toMatchObject({
      code: 'webhook-unreachable',
      message: 'no answer: timed out after 10000 ms',
    })
    await eventually('the delivery', () => deliveries.length === 1)
    clock.advance(10_000)
    await failed
    expect(clock.pendingTimers).toBe(0)
  })

  test('errors name neither URL nor secret', async () => {
    const { url } = await receiver((response) => response.destroy())
    const nowhere = 'http://127.0.0.1:1/hooks?key=of-the-url'
    for (const target of [url, nowhere]) {
      const error: unknown = await sender(target)(event).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'webhook-unreachable' })
      const shown = `${(error as Error).stack} ${JSON.stringify(error)} ${(error as Error).cause}`
      expect(shown).not.toContain('of-the-url')
      expect(shown).not.toContain(secret.slice(6))
    }
  })

  test.each([
    'http://backend.example/hooks',
    'ftp://127.0.0.1/hooks',
    'https://user:password@backend.example/hooks',
    'backend.example/hooks',
    '',
  ])('the URL %j is refused', (url) => {
    expect(() => sender(url)).toThrow(expect.objectContaining({ code: 'webhook-url-refused' }))
  })

  test.each(['https://backend.example/hooks', 'http://localhost:8080', 'http://[::1]:8080/hooks'])(
    'the URL %j is taken',
    (url) => {
      expect(() => sender(url)).not.toThrow()
    },
  )

  test.each([
    '',
    'whsec_',
    'whsec_c2hvcnQ=',
    Buffer.alloc(32, 1).toString('base64'),
    `whsec_${Buffer.alloc(65, 1).toString('base64')}`,
    `whsec_${Buffer.alloc(32, 1).toString('base64')}!`,
    `whsec_${Buffer.alloc(32, 1).toString('base64').slice(0, -1)}`,
  ])('the secret %j is refused, and not repeated', (malformed) => {
    const caught = expect.objectContaining({ code: 'webhook-secret-malformed' })
    expect(() => sender('https://backend.example', { secret: malformed })).toThrow(caught)
    try {
      sender('https://backend.example', { secret: malformed })
    } catch (error) {
      if (malformed.length > 10) expect(String(error)).not.toContain(malformed.slice(6))
    }
  })
})
