import { connectCall } from '@conclave/client/call'
import { deliveryNamespace } from '@conclave/core/delivery'
import type { SfuObserverEvents } from '@conclave/sfu'
import { describe, expect, test } from 'vitest'
import { connectServer } from '../../src/edge/serverConnection.ts'
import { fakeBrowser, fakeTrack } from './fakeBrowser.ts'
import { Group, next, openMeetingRoom } from './meetingRoom.ts'

type RtpProducer = SfuObserverEvents['newproducer'][0]['producer']

async function aliceAndBob() {
  const room = await openMeetingRoom()
  const group = new Group()
  group.add(0, 'alice')
  group.add(1, 'bob')
  const [aliceKeys, bobKeys] = [group.member(0), group.member(1)]
  return { room, group, aliceKeys, bobKeys, alice: await room.connect(aliceKeys) }
}

describe('a call', () => {
  test('carries a published track to the others, under the claimed leaf and its participant', async () => {
    const { room, alice, aliceKeys, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    const arrived = next(bob, 'track')
    const camera = fakeTrack('video')
    const publication = await alice.publish(camera, { source: 'camera' })
    expect(publication).toMatchObject({ source: 'camera', track: camera, paused: false })
    expect(aliceKeys.attached).toEqual([{ source: 'camera' }])
    const remote = await arrived
    expect(remote).toMatchObject({ source: 'camera', participant: { leaf: 0, identity: 'alice' } })
    expect(remote.receiver.track).toBe(remote.track)
    expect(bobKeys.attached).toEqual([{ leaf: 0, source: 'camera' }])
    expect(bob.tracks).toEqual([remote])
  })

  test('gives tracks that were there before as events too', async () => {
    const { room, alice, bobKeys } = await aliceAndBob()
    await alice.publish(fakeTrack('audio'), { source: 'microphone' })
    const bob = await room.connect(bobKeys)
    expect(await next(bob, 'track')).toMatchObject({ source: 'microphone' })
  })

  test('tells when a track pauses, resumes and ends', async () => {
    const { room, alice, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    const arrived = next(bob, 'track')
    const publication = await alice.publish(fakeTrack('audio'), { source: 'microphone' })
    const remote = await arrived
    const [paused, resumed] = [next(bob, 'trackPaused'), next(bob, 'trackResumed')]
    await publication.pause()
    expect(publication.paused).toBe(true)
    expect(await paused).toBe(remote)
    await publication.resume()
    expect(await resumed).toBe(remote)
    const ended = next(bob, 'trackEnded')
    await publication.close()
    expect(await ended).toBe(remote)
    expect(bob.tracks).toEqual([])
    await publication.close()
    await expect(publication.pause()).rejects.toMatchObject({ code: 'call-closed' })
  })

  test('sends the codec that is asked for, in any case of letters, in layers', async () => {
    const { alice, room } = await aliceAndBob()
    const producers: RtpProducer[] = []
    room.sfu.observer.on('newproducer', ({ producer }) => producers.push(producer))
    const encodings = [{ scalabilityMode: 'L3T3_KEY' }]
    await alice.publish(fakeTrack('video'), { source: 'camera', codec: 'video/vp9', encodings })
    expect(producers[0]?.rtpParameters.codecs[0]?.mimeType).toBe('video/VP9')
    expect(producers[0]?.type).toBe('svc')
  })

  test('tells the level of audio only where speech is not to be concealed', async () => {
    const { alice, room, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys, { concealSpeech: true })
    const producers: RtpProducer[] = []
    room.sfu.observer.on('newproducer', ({ producer }) => producers.push(producer))
    for (const call of [alice, bob]) {
      await call.publish(fakeTrack('audio'), { source: 'microphone' })
    }
    const level = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level'
    const told = producers.map(({ rtpParameters }) =>
      rtpParameters.headerExtensions?.some(({ uri }) => uri === level),
    )
    expect(told).toEqual([true, false])
  })

  test('refuses spatial layers of AV1, which nobody could decode, and announces nothing', async () => {
    const { alice, room } = await aliceAndBob()
    const produced: string[] = []
    room.sfu.observer.on('newproducer', ({ source }) => produced.push(source))
    const publishing = (codec: string, scalabilityMode: string) =>
      alice.publish(fakeTrack('video'), {
        source: 'camera',
        codec,
        encodings: [{ scalabilityMode }],
      })
    for (const mode of ['L3T3_KEY', 'L2T1', 'S2T1h']) {
      await expect(publishing('video/AV1', mode)).rejects.toMatchObject({
        code: 'layers-unavailable',
      })
    }
    expect(produced).toEqual([])
    // The stand-in for a browser has no AV1, but it is not the layers that are wrong.
    await expect(publishing('video/AV1', 'L1T3')).rejects.toMatchObject({
      code: 'codec-unavailable',
    })
    await publishing('video/VP9', 'L2T1')
    expect(produced).toEqual(['camera'])
  })

  test('lets Opus stop in silence where that is asked for and shows no speech to be concealed', async () => {
    const { room, bobKeys } = await aliceAndBob()
    const told: (boolean | undefined)[] = []
    for (const concealSpeech of [false, true]) {
      const browser = fakeBrowser()
      const bob = await room.connect(bobKeys, { handlerFactory: browser, concealSpeech })
      await bob.publish(fakeTrack('audio'), { source: 'microphone', dtx: true })
      await bob.publish(fakeTrack('audio'), { source: 'screen-audio' })
      told.push(...browser.sendings.map(({ codecOptions }) => codecOptions?.opusDtx))
    }
    expect(told).toEqual([true, undefined, undefined, undefined])
  })

  test('refuses a codec that browser and SFU do not share, and takes another then', async () => {
    const { alice } = await aliceAndBob()
    const publishing = (codec: string) =>
      alice.publish(fakeTrack('video'), { source: 'camera', codec })
    for (const codec of ['video/H265', 'audio/opus', 'VP8', '']) {
      await expect(publishing(codec)).rejects.toMatchObject({ code: 'codec-unavailable' })
    }
    await publishing('video/VP8')
  })

  test('ends a publication with its track, and takes another of the same source then', async () => {
    const { alice } = await aliceAndBob()
    const screen = fakeTrack('video')
    await alice.publish(screen, { source: 'screen' })
    const ended = next(alice, 'publicationEnded')
    screen.end()
    expect(await ended).toEqual({ source: 'screen' })
    await alice.publish(fakeTrack('video'), { source: 'screen' })
  })

  test('refuses a second track of a source, and a track of the wrong kind', async () => {
    const { alice } = await aliceAndBob()
    const publication = await alice.publish(fakeTrack('video'), { source: 'camera' })
    await expect(alice.publish(fakeTrack('video'), { source: 'camera' })).rejects.toMatchObject({
      code: 'source-in-use',
    })
    await expect(alice.publish(fakeTrack('audio'), { source: 'screen' })).rejects.toMatchObject({
      code: 'source-mismatch',
    })
    await expect(publication.replaceTrack(fakeTrack('audio'))).rejects.toMatchObject({
      code: 'source-mismatch',
    })
    const other = fakeTrack('video')
    await publication.replaceTrack(other)
    expect(publication.track).toBe(other)
  })

  test('announces nothing of a track whose encryption failed', async () => {
    const { room, alice, aliceKeys } = await aliceAndBob()
    const produced: string[] = []
    room.sfu.observer.on('newproducer', ({ source }) => produced.push(source))
    aliceKeys.failure = new Error('no worker')
    await expect(alice.publish(fakeTrack('video'), { source: 'camera' })).rejects.toBe(
      aliceKeys.failure,
    )
    aliceKeys.failure = undefined
    await alice.publish(fakeTrack('audio'), { source: 'microphone' })
    expect(produced).toEqual(['microphone'])
  })

  test('lets no frame flow to a receiver whose decryption failed', async () => {
    const { room, alice, bobKeys } = await aliceAndBob()
    const consumers: { paused: boolean; closed: boolean }[] = []
    room.sfu.observer.on('newconsumer', ({ consumer }) => consumers.push(consumer))
    bobKeys.failure = new Error('no worker')
    const bob = await room.connect(bobKeys)
    const failed = next(bob, 'trackFailed')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    expect(await failed).toEqual({ leaf: 0, source: 'camera', error: bobKeys.failure })
    expect(bob.tracks).toEqual([])
    expect(consumers).toHaveLength(1)
    await expect.poll(() => consumers[0]?.closed).toBe(true)
    expect(consumers[0]?.paused).toBe(true)
  })

  test('does not attach a producer of an unknown leaf until the roster has it', async () => {
    const { room, group } = await aliceAndBob()
    const bob = await room.connect(group.member(1))
    const unknown = next(bob, 'unknownSender')
    const carol = await room.connect(group.member(5))
    await carol.publish(fakeTrack('video'), { source: 'camera' })
    expect(await unknown).toEqual({ leaf: 5, source: 'camera' })
    expect(bob.tracks).toEqual([])
    const arrived = next(bob, 'track')
    group.add(5, 'carol')
    expect((await arrived).participant.identity).toBe('carol')
  })

  test("does not attach a producer that claims the receiver's own leaf", async () => {
    const { room, group, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    const unknown = next(bob, 'unknownSender')
    const mallory = await room.connect(group.member(1))
    await mallory.publish(fakeTrack('video'), { source: 'camera' })
    expect(await unknown).toEqual({ leaf: 1, source: 'camera' })
    expect(bobKeys.attached).toEqual([])
  })

  test('ends the tracks of a member that was removed, and of one whose leaf another took', async () => {
    const { room, group, alice, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    let arrived = next(bob, 'track')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    const first = await arrived
    const replaced = next(bob, 'trackEnded')
    arrived = next(bob, 'track')
    group.add(0, 'mallory')
    expect(await replaced).toBe(first)
    const second = await arrived
    expect(second.participant.identity).toBe('mallory')
    const removed = next(bob, 'trackEnded')
    group.remove(0)
    expect(await removed).toBe(second)
    expect(bob.tracks).toEqual([])
  })

  test('announces its tracks anew when its own leaf has changed', async () => {
    const { room, group, alice, aliceKeys, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    let arrived = next(bob, 'track')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    await arrived
    const ended = next(bob, 'trackEnded')
    arrived = next(bob, 'track')
    group.add(7, 'alice')
    aliceKeys.moveTo(7)
    await ended
    expect((await arrived).participant.leaf).toBe(7)
  })

  test('takes the newer of two producers of one leaf and source', async () => {
    const { room, group, alice, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    let arrived = next(bob, 'track')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    const old = await arrived
    const ended = next(bob, 'trackEnded')
    arrived = next(bob, 'track')
    const again = await room.connect(group.member(0))
    await again.publish(fakeTrack('video'), { source: 'camera' })
    expect(await ended).toBe(old)
    const newer = await arrived
    expect(bob.tracks).toEqual([newer])
  })

  test('without the grant to publish refuses to, and still receives', async () => {
    const { room, group, alice } = await aliceAndBob()
    const listener = await room.connect(group.member(1), {
      token: await room.token({ join: true, subscribe: true }),
    })
    const arrived = next(listener, 'track')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    await arrived
    await expect(
      listener.publish(fakeTrack('audio'), { source: 'microphone' }),
    ).rejects.toMatchObject({ code: 'sfu-refused', detail: 'token-grant-missing' })
  })
})

describe('the end of a call', () => {
  test('when it is closed its tracks end for the others and nothing more can be published', async () => {
    const { room, alice, bobKeys } = await aliceAndBob()
    const bob = await room.connect(bobKeys)
    const arrived = next(bob, 'track')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    const remote = await arrived
    const [ended, closed] = [next(bob, 'trackEnded'), next(alice, 'closed')]
    await alice.close()
    expect(await closed).toEqual({ code: 'left' })
    expect(await ended).toBe(remote)
    expect(alice.closed).toBe(true)
    await alice.close()
    await expect(alice.publish(fakeTrack('audio'), { source: 'microphone' })).rejects.toMatchObject(
      {
        code: 'call-closed',
      },
    )
  })

  test('is told to every listener, also after one that throws', async () => {
    const { alice } = await aliceAndBob()
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
    alice.on('closed', () => {
      throw new Error("an application's bug")
    })
    const closed = next(alice, 'closed')
    await alice.close()
    await closed
    expect(await thrown).toMatchObject({ message: "an application's bug" })
  })

  test('when the SFU closes it says so', async () => {
    const { room, alice } = await aliceAndBob()
    const closed = next(alice, 'closed')
    await room.sfu.close()
    expect(await closed).toEqual({ code: 'server-closing' })
  })

  test('when the connection breaks it is lost', async () => {
    const { room, group } = await aliceAndBob()
    const connection = connectServer(room.url)
    const call = await room.connect(group.member(1), { sfu: connection })
    const closed = next(call, 'closed')
    connection.namespace('/elsewhere', {}).io.engine.close()
    expect(await closed).toEqual({ code: 'connection-lost' })
  })

  test('when a transport fails its tracks end', async () => {
    const { room, group, alice } = await aliceAndBob()
    const browser = fakeBrowser()
    const bob = await room.connect(group.member(1), { handlerFactory: browser })
    const arrived = next(bob, 'track')
    await alice.publish(fakeTrack('video'), { source: 'camera' })
    await arrived
    const [ended, closed] = [next(bob, 'trackEnded'), next(bob, 'closed')]
    browser.transports[0]?.setConnectionState('failed')
    await ended
    expect(await closed).toEqual({ code: 'transport-failed' })
  })
})

describe('connecting a call', () => {
  const group = new Group()

  test.each(['http://sfu.example', 'ws://10.0.0.1/sfu'])('to %s is refused', async (sfu) => {
    await expect(
      connectCall({ sfu, token: 'x', protection: group.member(0) }),
    ).rejects.toMatchObject({ code: 'insecure-url' })
  })

  test('with a token that the SFU does not accept is refused with its code', async () => {
    const room = await openMeetingRoom()
    await expect(room.connect(group.member(0), { token: 'a.b.c' })).rejects.toMatchObject({
      code: 'sfu-refused',
      detail: 'token-malformed',
    })
  })

  test('to another meeting than the token is for is refused with its code', async () => {
    const room = await openMeetingRoom()
    await expect(room.connect(group.member(0), { meeting: 'retro' })).rejects.toMatchObject({
      code: 'sfu-refused',
      detail: 'token-wrong-meeting',
    })
  })

  test('shares its connection with the delivery protocol', async () => {
    const room = await openMeetingRoom()
    const connection = connectServer(room.url)
    const call = await room.connect(group.member(0), { sfu: connection })
    const delivery = connection.namespace(deliveryNamespace, { token: await room.token() })
    const refused = new Promise((resolve) => delivery.once('connect_error', resolve))
    delivery.connect()
    // No keyserver runs here; that it could not be reached comes from the relay.
    expect(await refused).toMatchObject({ data: { code: 'upstream-unavailable' } })
    expect(call.closed).toBe(false)
    const closed = next(call, 'closed')
    delivery.io.engine.close()
    expect(await closed).toEqual({ code: 'connection-lost' })
  })
})
