import { describe, expect, it } from 'vitest'
import { memorySessionStore } from '../../src/index.ts'
import { startKeyserver } from './keyserver.ts'
import { agree } from './support/witness.ts'

/** For a loaded machine; nothing here takes that long. */
const patience = { timeout: 20_000, interval: 10 }

describe('one device', () => {
  it('is in two meetings at once, of which neither knows of the other', async () => {
    const server = await startKeyserver()
    const store = memorySessionStore()
    const meetings = ['standup', 'retro']
    const joining = meetings.map(async (meetingId) => {
      const token = await server.tokenFor('alice', meetingId)
      return await server.join('alice', { store, meetingId, token })
    })
    const [standup, retro] = await Promise.all(joining)
    if (standup === undefined || retro === undefined) throw new Error('nobody has joined')
    const bobs = meetings.map(async (meetingId) => {
      const token = await server.tokenFor('bob', meetingId)
      return await server.join('bob', { meetingId, token })
    })
    const [standupBob, retroBob] = await Promise.all(bobs)
    if (standupBob === undefined || retroBob === undefined) throw new Error('nobody has joined')
    const both = ['alice', 'bob']
    await expect.poll(() => agree([standup, standupBob], both), patience).toBe(true)
    await expect.poll(() => agree([retro, retroBob], both), patience).toBe(true)
    expect(standup.self.deviceKey).toEqual(retro.self.deviceKey)
    expect(standup.view.safetyCode).not.toBe(retro.view.safetyCode)

    const { epoch } = retro.view
    await standup.leave()
    await expect.poll(() => agree([standupBob], ['bob']), patience).toBe(true)
    expect(retro.view.epoch).toBe(epoch)
    expect(server.witness(retro).ended).toEqual([])
    await retroBob.leave()
    await expect.poll(() => agree([retro], ['alice']), patience).toBe(true)
  })

  it('is in one meeting twice, as two members with one device key', async () => {
    const server = await startKeyserver()
    const store = memorySessionStore()
    const tabs = [await server.join('alice', { store }), await server.join('alice', { store })]
    await expect.poll(() => agree(tabs, ['alice', 'alice']), patience).toBe(true)
    const [first, second] = tabs.map(({ self }) => self)
    expect(first?.deviceKey).toEqual(second?.deviceKey)
    expect(first?.leaf).not.toBe(second?.leaf)
    await tabs[0]?.leave()
    await expect.poll(() => agree(tabs.slice(1), ['alice']), patience).toBe(true)
  })
})
