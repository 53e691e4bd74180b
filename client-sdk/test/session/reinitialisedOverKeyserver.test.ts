import { describe, expect, it } from 'vitest'
import type { FrameCryptor, SecureMeeting } from '../../src/index.ts'
import { startKeyserver } from './keyserver.ts'
import { agree } from './support/witness.ts'

const patience = { timeout: 20_000, interval: 20 }

describe('a meeting over a network', () => {
  it('goes on in another group and suite, and lets newcomers in there', async () => {
    const server = await startKeyserver()
    const cryptor: FrameCryptor = {
      installEpoch: ({ baseKey, ownLeaf, epoch }) => keys.set(ownLeaf, `${epoch} ${baseKey}`),
      protect: async () => {},
      unprotect: async () => {},
      stats: async () => ({ senders: [], receivers: [] }),
      close: () => {},
    }
    const keys = new Map<number, string>()
    const options = { createFrameCryptor: () => cryptor }
    const meetings: SecureMeeting[] = []
    for (const name of ['alice', 'bob', 'carol']) meetings.push(await server.join(name, options))
    const [alice, bob, carol] = meetings as [SecureMeeting, SecureMeeting, SecureMeeting]
    await expect.poll(() => agree(meetings, ['alice', 'bob', 'carol']), patience).toBe(true)
    for (const meeting of meetings) {
      await meeting.protect({} as RTCRtpSender, { source: 'microphone' })
    }
    const heard: string[] = []
    carol.on('message', ({ text, participant }) => heard.push(`${participant.identity}: ${text}`))
    carol.on('reinitialised', ({ cipherSuite, by }) =>
      heard.push(`${by?.identity}: ${cipherSuite}`),
    )
    keys.clear()
    await bob.reinitialise({ cipherSuite: 3 })
    await expect.poll(() => agree(meetings, ['alice', 'bob', 'carol']), patience).toBe(true)
    await expect
      .poll(() => new Set(keys.values()).size === 1 && keys.size === 3, patience)
      .toBe(true)
    await alice.send({ text: 'still here' })
    await expect.poll(() => heard, patience).toEqual(['bob: 3', 'alice: still here'])
    const dan = await server.join('dan')
    const all = [...meetings, dan]
    await expect.poll(() => agree(all, ['alice', 'bob', 'carol', 'dan']), patience).toBe(true)
    for (const meeting of all) expect(server.witness(meeting).lost).toEqual([])
  })

  it('refuses suites that its device keys cannot sign for', async () => {
    const server = await startKeyserver()
    const alice = await server.join('alice')
    for (const cipherSuite of [0, 2, 7, 99]) {
      await expect(alice.reinitialise({ cipherSuite })).rejects.toMatchObject({
        code: 'argument-invalid',
      })
    }
    await expect(alice.reinitialise({ cipherSuite: 3, timeoutMs: 0 })).rejects.toMatchObject({
      code: 'argument-invalid',
    })
    await alice.leave()
    await expect(alice.reinitialise({ cipherSuite: 3 })).rejects.toMatchObject({
      code: 'session-ended',
    })
  })
})
