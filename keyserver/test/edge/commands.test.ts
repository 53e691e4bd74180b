import { describe, expect, test } from 'vitest'
import { printable, table } from '../../src/edge/cli/table.ts'
import { runProgram } from '../../src/edge/program.ts'
import { meetingOf } from '../support/testMember.ts'
import { Standalone } from './standalone.ts'

async function commandsOf(server: Standalone, meeting = '*') {
  const environment = {
    CONCLAVE_API_URL: server.url,
    CONCLAVE_API_TOKEN: await server.manager(meeting),
  }
  return async (...args: string[]) => {
    const out: string[] = []
    const err: string[] = []
    const code = await runProgram(args, {
      environment,
      print: (text) => out.push(text),
      complain: (text) => err.push(text),
      serve: () => Promise.reject(new Error('a command does not serve')),
      version: '1.2.3',
    })
    return { code, out: out.join('\n'), err: err.join('') }
  }
}

describe('commands on a running keyserver', () => {
  test('list meetings, show a roster and read a log', async () => {
    const server = await Standalone.start()
    const command = await commandsOf(server)
    expect(await command('meetings', 'list')).toEqual({ code: 0, out: '', err: '' })
    await meetingOf(server, 'alice', 'bob')
    expect(await command('meetings', 'list')).toMatchObject({ code: 0, out: 'standup' })

    const shown = await command('meetings', 'show', 'standup')
    expect(shown).toMatchObject({ code: 0, err: '' })
    expect(shown.out).toMatch(
      /^meeting +group +epoch +head +waiting +ends\nstandup +[0-9a-f]{32} +1 /,
    )
    expect(shown.out).toMatch(
      /\n0 +alice +[0-9a-f]{16} +connected\n1 +bob +[0-9a-f]{16} +connected$/,
    )

    const log = await command('meetings', 'log', 'standup')
    expect(log.out).toMatch(/^seq +time +epoch +kind +sender +bytes +contents\n1 .*commit +leaf 0/)
    expect((await command('meetings', 'log', 'standup', '--after', '1')).out).not.toMatch(/commit/)
  })

  test('print what the API says as JSON', async () => {
    const server = await Standalone.start()
    const command = await commandsOf(server)
    await meetingOf(server, 'alice')
    expect(JSON.parse((await command('meetings', 'list', '--json')).out)).toEqual(['standup'])
    const { out } = await command('meetings', 'show', 'standup', '--json')
    expect(JSON.parse(out)).toMatchObject({ meetingId: 'standup', roster: [{ identity: 'alice' }] })
    expect(JSON.parse((await command('dead-letters', 'list', '--json')).out)).toEqual([])
  })

  test('remove somebody and end a meeting', async () => {
    const server = await Standalone.start()
    const command = await commandsOf(server)
    const [alice] = await meetingOf(server, 'alice', 'bob')
    const removal = await command('meetings', 'remove', 'standup', '--identity', 'bob')
    expect(removal).toMatchObject({ code: 0, out: 'to be removed: leaf 1' })
    expect((await command('meetings', 'show', 'standup')).out).toMatch(/bob.*being removed/)
    const log = await command('meetings', 'log', 'standup', '--after', '1')
    expect(log.out).toMatch(/\n2 .*proposal +keyserver .*remove 1/)
    expect(await command('meetings', 'end', 'standup')).toMatchObject({ code: 0 })
    expect(await alice?.client.notice('closed')).toMatchObject({ reason: 'ended' })
  })

  test('end with 2 and the code where the keyserver refuses', async () => {
    const server = await Standalone.start()
    const command = await commandsOf(server, 'standup')
    const unknown = await command('meetings', 'show', 'standup')
    expect(unknown).toMatchObject({ code: 2, out: '' })
    expect(unknown.err).toContain('meeting-unknown')
    expect((await command('meetings', 'list')).err).toContain('token-wrong-meeting')
    const letter = await (await commandsOf(server))('dead-letters', 'retry', 'x')
    expect(letter).toMatchObject({ code: 2 })
    expect(letter.err).toContain('dead-letter-unknown')
  })

  test('show nothing that a terminal would take as a command', () => {
    const identity = '\u001b[2Jalice\u009b\u202e\n'
    expect(printable(identity)).toBe('\ufffd[2Jalice\ufffd\ufffd\ufffd')
    expect(table(['identity'], [[identity]])).toBe(`identity\n${printable(identity)}`)
  })
})
