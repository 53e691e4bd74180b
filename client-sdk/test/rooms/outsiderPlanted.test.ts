import { expect, it, vi } from 'vitest'
import { startKeyserver } from '../session/keyserver.ts'
import { agreed, type Guest, guests, patience } from './guests.ts'
import { Outsider, showsTwoBobs } from './outsider.ts'

// The planted fault: members do not look whether a leaf is in the meeting.
vi.mock('../../../core/src/meeting/roomPolicy.ts', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  checkRoomLeaf: () => {},
}))

it('an outsider is added to a room where nobody looks whether they are in the meeting', async () => {
  const server = await startKeyserver()
  const [alice, bob] = (await guests(server, 'alice', 'bob')) as [Guest, Guest]
  const red = await alice.open('red', 'bob')
  const bobs = await bob.enter('red')
  await agreed([red, bobs], ['alice', 'bob'])
  const outsider = await Outsider.at(server, (await bob.called('red')).id)
  let added = false
  red.on('epochChanged', () => {
    added ||= showsTwoBobs(red)
  })
  await outsider.wait()
  await expect.poll(() => added, patience).toBe(true)
  outsider.close()
})
