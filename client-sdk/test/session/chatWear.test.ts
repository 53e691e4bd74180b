import { expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { systemRandom } from '../../src/index.ts'
import { Chat } from '../../src/session/chat.ts'
import { SessionError } from '../../src/session/sessionError.ts'
import { envelope, Gathering } from './support/people.ts'

it('new keys are asked for when three quarters of an epoch’s messages have been sent, once', async () => {
  const gathering = await Gathering.of(1)
  const worn: bigint[] = []
  const chat = new Chat(
    {
      clock: new VirtualClock(),
      random: systemRandom,
      group: () => gathering.group(0),
      connected: () => true,
      send: async () => ({ ok: true }),
      reserve: async (group, count) => group.reserveGenerations(count),
      run: (step) => void step(),
      received: () => {},
      missed: () => {},
      problem: () => {},
      keyWorn: (epoch) => worn.push(epoch),
    },
    8,
  )
  chat.entered(gathering.group(0), false)
  const say = async (count: number) => {
    for (let said = 0; said < count; said++) await chat.send({ kind: 'chat', text: 'so' })
  }
  await say(5)
  expect(worn).toEqual([])
  await say(2)
  expect(worn).toEqual([0n])

  const founder = gathering.group(0)
  gathering.groups = [founder.confirm(await founder.commit({ authenticatedData: envelope(0) }))]
  chat.epochBegan(gathering.group(0))
  await say(5)
  expect(worn).toEqual([0n])
  await say(1)
  expect(worn).toEqual([0n, 1n])
  chat.close(new SessionError('session-ended', 'over'))
  gathering.group(0).close()
})
