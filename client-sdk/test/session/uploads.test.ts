import { decode } from '@conclave/core/codec'
import { ExtensionType, MlsMessage, WireFormat } from '@conclave/core/wire'
import { expect, it } from 'vitest'
import { type Client, Room } from './support/room.ts'

/** The extensions of every GroupInfo that these have uploaded, by the request. */
function uploadedBy(clients: readonly Client[]): { name: string; extensions: number[] }[] {
  return clients
    .flatMap(({ port }) => port.requests)
    .flatMap(({ name, request }) => {
      if (!('groupInfo' in request)) return []
      const message = decode(MlsMessage, request.groupInfo)
      if (message.wireFormat !== WireFormat.groupInfo) throw new Error('no GroupInfo')
      const { extensions } = message.groupInfo
      return [{ name, extensions: extensions.map(({ extensionType }) => extensionType) }]
    })
}

it('every GroupInfo lets others enter from outside, and leaves the tree to be had by its hash', async () => {
  const room = Room.open()
  const clients = await room.meetingOf('alice', 'bob', 'carol')
  for (const port of room.delivery.ports) port.drop()
  await room.rest()
  await room.delivery.lose(1)
  for (const port of room.delivery.ports) port.connect()
  await room.until(() => clients.some(({ port }) => port.count('giveBack') > 0))
  const uploads = uploadedBy(clients)
  expect(new Set(uploads.map(({ name }) => name))).toEqual(
    new Set(['create', 'commit', 'giveBack']),
  )
  for (const { extensions } of uploads) expect(extensions).toEqual([ExtensionType.externalPub])
})
