import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { admitted, meetingOf } from '../support/testMember.ts'
import { accessSecret, Standalone } from './standalone.ts'

const sliceBytes = 24

/** Two slices of each message, which begin where base64 begins a new group. */
function slicesOf(message: Uint8Array): readonly Buffer[] {
  const middle = 3 * Math.floor(message.length / 6)
  return [0, middle]
    .map((start) => Buffer.from(message.slice(start, start + sliceBytes)))
    .filter(({ length }) => length === sliceBytes)
}

/** Which of the texts and messages stand in a log, in any of the ways that bytes are written. */
function leaksIn(
  log: string,
  {
    texts,
    messages,
  }: { readonly texts: readonly string[]; readonly messages: readonly Uint8Array[] },
): readonly string[] {
  const written = messages
    .flatMap(slicesOf)
    .flatMap((slice) => [
      slice.toString('hex'),
      slice.toString('base64'),
      slice.toString('base64url'),
      slice.toString('latin1'),
      slice.join(','),
      [...slice].map((byte, index) => `"${index}":${byte}`).join(','),
    ])
  return [...texts, ...written].filter((text) => log.includes(text))
}

/** A meeting with refusals, a removal, a cut connection and requests to the API. */
async function eventfulMeeting() {
  const server = await Standalone.start()
  const [alice, bob] = await meetingOf(server, 'alice', 'bob')
  if (alice === undefined || bob === undefined) throw new Error('nobody is there')
  const carol = await admitted(server, [alice, bob], 'carol')
  const { upload } = await alice.prepareCommit()
  await alice.client.request('commit', { ...upload, message: upload.message.slice(0, -1) })
  await bob.commit()
  await alice.client.request('commit', upload)
  await alice.client.send('commit', { surprise: upload.message })
  await alice.client.send('nonsense', upload.groupInfo)
  carol.client.disconnect()
  await server.ask('GET', '/v1/meetings/standup')
  await server.ask('POST', '/v1/tokens', { token: 'no token at all', body: { identity: 'x' } })
  await server.ask('POST', '/v1/meetings/standup/removals', { body: { identity: 'carol' } })
  await eventually('the end of a connection in the log', () =>
    server.log.some((line) => line.includes('disconnected')),
  )
  return server
}

describe('the log', () => {
  test('at its most talkative has no token, no secret and no message', async () => {
    const server = await eventfulMeeting()
    const secrets = { texts: [...server.tokens, accessSecret], messages: server.messages }
    expect(secrets.texts.length).toBeGreaterThan(4)
    expect(secrets.messages.length).toBeGreaterThan(10)
    const log = server.log.join('')
    expect(log).toContain('standup')
    expect(leaksIn(log, secrets)).toEqual([])
  })

  test('that leaks is found out, however the leak is written', async () => {
    const server = await eventfulMeeting()
    const secrets = { texts: server.tokens, messages: server.messages }
    const message = Buffer.from(server.messages.find(({ length }) => length > 100) ?? [])
    const plants = [
      { authorization: `Bearer ${server.tokens[0]}` },
      { message: message.toString('hex') },
      { message: message.toString('base64') },
      { message: message.toString('base64url') },
      { message },
      { message: new Uint8Array(message) },
    ]
    for (const plant of plants) {
      expect(leaksIn(server.log.join('') + JSON.stringify(plant), secrets)).not.toEqual([])
    }
  })

  test('of the command names meeting and epoch', async () => {
    const server = await eventfulMeeting()
    const lines = server.log.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.some(({ meeting, epoch }) => meeting === 'standup' && epoch !== undefined)).toBe(
      true,
    )
  })
})
