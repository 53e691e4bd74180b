import * as mediasoup from 'mediasoup'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

const ssrc = 0x01020304
const payloadType = 100
const payloadLength = 200
const ceiling = { timeout: 20_000, interval: 50 }

/** An RTP packet (RFC 3550 §5.1) with a recognisable payload. */
function rtpPacket(sequenceNumber: number): Buffer {
  const packet = Buffer.alloc(12 + payloadLength, sequenceNumber)
  packet.writeUInt8(0x80, 0)
  packet.writeUInt8(payloadType, 1)
  packet.writeUInt16BE(sequenceNumber, 2)
  packet.writeUInt32BE(sequenceNumber * 960, 4)
  packet.writeUInt32BE(ssrc, 8)
  return packet
}

// A worker built here runs libsrtp 2 behind libsrtp 3's interface: packets must survive it.
describe('mediasoup’s worker, over SRTP', () => {
  let worker: mediasoup.types.Worker

  beforeAll(async () => {
    worker = await mediasoup.createWorker({ logLevel: 'error' })
  })
  afterAll(() => worker.close())

  async function router(): Promise<mediasoup.types.Router> {
    const opus = { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 }
    return worker.createRouter({
      mediaCodecs: [{ kind: 'audio', preferredPayloadType: payloadType, ...opus }],
    })
  }

  it.each([
    'AEAD_AES_256_GCM',
    'AEAD_AES_128_GCM',
    'AES_CM_128_HMAC_SHA1_80',
    'AES_CM_128_HMAC_SHA1_32',
  ] as const)('carries packets unchanged from router to router (%s)', async (srtpCryptoSuite) => {
    const [here, there] = [await router(), await router()]
    const options = {
      listenInfo: { protocol: 'udp', ip: '127.0.0.1' },
      enableSrtp: true,
      srtpCryptoSuite,
      rtcpMux: true,
    } as const
    const [near, far] = [
      await here.createPlainTransport(options),
      await there.createPlainTransport(options),
    ]
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      if (other.srtpParameters === undefined) throw new Error('no SRTP parameters')
      const { localAddress: ip, localPort: port } = other.tuple
      await one.connect({ ip, port, srtpParameters: other.srtpParameters })
    }

    const source = await (await here.createDirectTransport()).produce({
      kind: 'audio',
      rtpParameters: {
        codecs: [{ mimeType: 'audio/opus', payloadType, clockRate: 48_000, channels: 2 }],
        encodings: [{ ssrc }],
      },
    })
    const outgoing = await near.consume({
      producerId: source.id,
      rtpCapabilities: here.rtpCapabilities,
    })
    const incoming = await far.produce({ kind: 'audio', rtpParameters: outgoing.rtpParameters })
    const sink = await (await there.createDirectTransport()).consume({
      producerId: incoming.id,
      rtpCapabilities: there.rtpCapabilities,
    })
    const payloads: string[] = []
    // The routers add header extensions of their own in front of the payload.
    sink.on('rtp', (packet) => payloads.push(packet.subarray(-payloadLength).toString('hex')))

    const sent = [1, 2, 3, 4, 5].map(rtpPacket)
    for (const packet of sent) source.send(packet)
    const expected = sent.map((packet) => packet.subarray(-payloadLength).toString('hex'))
    await vi.waitFor(() => expect(payloads).toEqual(expected), ceiling)
  })
})
