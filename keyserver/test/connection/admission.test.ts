import { Manager } from 'socket.io-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { TestServer } from '../support/testServer.ts'

function managerFor({ url }: TestServer): Manager {
  const manager = new Manager(url, {
    path: '/socket.io',
    transports: ['websocket'],
    autoConnect: false,
    reconnection: false,
  })
  onTestFinished(() => {
    manager.engine?.close()
  })
  return manager
}

describe('a connection', () => {
  test('is on the namespace once, however many CONNECT packets it sends', async () => {
    const server = await TestServer.start()
    const manager = managerFor(server)
    const answers: string[] = []
    await new Promise<void>((resolve) => manager.open(() => resolve()))
    manager.engine.on('message', (packet: string) => answers.push(packet))
    const token = await server.token('alice', 'standup')
    // What a client library never does: CONNECT packets before the first is answered.
    for (let packet = 0; packet < 3; packet++) {
      manager.engine.write(`0/delivery,${JSON.stringify({ token })}`)
    }
    await expect.poll(() => answers.length).toBe(3)
    expect(answers.filter((packet) => packet.startsWith('0/delivery,'))).toHaveLength(1)
    expect(answers.filter((packet) => packet.includes('already-connected'))).toHaveLength(2)
  })

  test('to another namespace is refused', async () => {
    const server = await TestServer.start()
    for (const name of ['/', '/elsewhere']) {
      const socket = managerFor(server).socket(name)
      const refusal = new Promise<Error>((resolve) => socket.once('connect_error', resolve))
      socket.connect()
      expect((await refusal).message).toMatch(/nothing is served here|Invalid namespace/)
      expect(socket.connected).toBe(false)
    }
  })
})
