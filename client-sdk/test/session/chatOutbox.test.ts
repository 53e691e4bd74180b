import { expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { type Attempt, ChatOutbox } from '../../src/session/chatOutbox.ts'
import { SessionError } from '../../src/session/sessionError.ts'

const error = new SessionError('keyserver-unreachable', 'no answer')
const lost: Attempt = { outcome: 'failed', perhaps: true, error }
const refused: Attempt = { outcome: 'failed', perhaps: false, error }

/** An outbox whose first attempt ends so, and whose others pass. */
function outboxAfter(first: Attempt) {
  const clock = new VirtualClock()
  const attempts: number[] = []
  const outbox = new ChatOutbox<string>(clock, async (content, number) => {
    attempts.push(number)
    return attempts.length === 1 ? first : { outcome: 'passed', id: content }
  })
  return { clock, attempts, outbox }
}

it('a message that some may have got is not sent again in another run, which begins before it is', async () => {
  const { clock, attempts, outbox } = outboxAfter(lost)
  const sent = outbox.send('hello')
  const settled = expect(sent).rejects.toMatchObject({ code: 'message-unsent' })
  await clock.advanceAsync(100)
  outbox.restart()
  await settled
  expect(attempts).toEqual([0])
  await expect(outbox.send('again')).resolves.toBe('again')
  expect(attempts).toEqual([0, 0])
})

it('a message that nobody has got is sent in the next run', async () => {
  const { clock, attempts, outbox } = outboxAfter(refused)
  const sent = outbox.send('hello')
  await clock.advanceAsync(100)
  outbox.restart()
  await expect(sent).resolves.toBe('hello')
  expect(attempts).toEqual([0, 0])
})

it('a message that some may have got is sent again under its number while the run goes on', async () => {
  const { clock, attempts, outbox } = outboxAfter(lost)
  const sent = outbox.send('hello')
  await clock.advanceAsync(250)
  await expect(sent).resolves.toBe('hello')
  expect(attempts).toEqual([0, 0])
})

it('once it is closed nothing is tried again, and no timer is left', async () => {
  const { clock, attempts, outbox } = outboxAfter(lost)
  const settled = expect(outbox.send('hello')).rejects.toBe(error)
  outbox.close(error)
  await settled
  await clock.advanceAsync(0)
  expect(clock.pendingTimers).toBe(0)
  expect(attempts).toEqual([0])
})
