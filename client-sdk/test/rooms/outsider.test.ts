import { describe, expect, it } from 'vitest'
import { startKeyserver } from '../session/keyserver.ts'
import { agreed, type Guest, guests, patience } from './guests.ts'
import { Outsider, showsTwoBobs } from './outsider.ts'

/** See outsiderPlanted.test.ts for what happens where members do not look. */
describe('an outsider with a token that is good for a room', () => {
  it('is not added by its members, and does not come in by a commit', async () => {
    const server = await startKeyserver()
    const names = ['alice', 'bob', 'carol'] as const
    const all = (await guests(server, ...names)) as [Guest, Guest, Guest]
    const [alice, bob, carol] = all
    const red = await alice.open('red', 'bob', 'carol')
    const bobs = await bob.enter('red')
    await agreed([red, bobs], ['alice', 'bob'])
    const outsider = await Outsider.at(server, (await bob.called('red')).id)

    await outsider.wait()
    // The next commit adds all who wait and may come in.
    const carols = await carol.enter('red')
    const rooms = [red, bobs, carols]
    await agreed(rooms, names)

    expect(await outsider.commit(server, false)).toBe('room-psk-invalid')
    const problems: unknown[] = []
    for (const room of rooms) room.on('problem', (error) => problems.push(error))
    expect(await outsider.commit(server, true)).toBe('taken')
    // All of them say that they cannot apply it, which undoes it.
    await expect.poll(() => problems, patience).toHaveLength(3)
    expect(problems).toEqual(
      problems.map(() =>
        expect.objectContaining({
          code: 'log-inapplicable',
          cause: expect.objectContaining({ code: 'room-member-unknown' }),
        }),
      ),
    )
    await carols.leave()
    await agreed([red, bobs], ['alice', 'bob'])
    expect(rooms.some(showsTwoBobs)).toBe(false)
    expect([...alice.losses, ...bob.losses, ...carol.losses]).toEqual([])
    outsider.close()
  })
})
