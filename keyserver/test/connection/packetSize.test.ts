import { silentObserver } from '@conclave/keyserver'
import { expect, test } from 'vitest'
import { maxPacketBytes } from '../../src/limits.ts'
import { TestServer } from '../support/testServer.ts'

/** Why a connection without a token was cut that sent a packet with so many byte strings. */
async function sendPieces(pieces: number, bytes: number): Promise<readonly string[]> {
  const cuts: string[] = []
  const observer = { ...silentObserver, cut: (reason: string) => cuts.push(reason) }
  const server = await TestServer.start({ observer })
  const url = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`
  const socket = new WebSocket(url)
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve))
  await new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }))
  const places = Array.from({ length: pieces + 1 }, (_, num) => ({ _placeholder: true, num }))
  socket.send(`45${pieces + 1}-/delivery,${JSON.stringify(['commit', ...places])}`)
  for (let i = 0; i < pieces; i++) socket.send(new Uint8Array(bytes))
  // Text amid a packet ends the connection, once all before it has been read.
  socket.send('40/delivery,{}')
  await closed
  return cuts
}

test('a packet is bounded as a whole, not each of its byte strings, also without a token', async () => {
  const piece = maxPacketBytes / 4
  expect(await sendPieces(5, piece)).toEqual(['malformed'])
  expect(await sendPieces(3, piece)).toEqual([])
})

test('a message without anything in it ends its connection alone', async () => {
  const server = await TestServer.start()
  const url = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`
  const socket = new WebSocket(url)
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve))
  await new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }))
  socket.send('4')
  await closed
  await server.connect('alice', 'standup')
})
