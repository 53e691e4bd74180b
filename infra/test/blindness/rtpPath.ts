import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { parseRtp } from '../../../examples/meeting/test/support/rtp.ts'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import type { ServerProcess } from './serverProcess.ts'

const ssrc = 0x5eed
const headerBytes = 12
const opusPayloadType = 111

/** RTP through the mediasoup worker, from one UDP socket to another, of which it keeps all packets. */
export class RtpPath {
  /** Sent and received. */
  readonly packets: Buffer[] = []
  readonly #receiver: Socket
  #senderPort: number
  readonly #received: Uint8Array<ArrayBuffer>[] = []
  #sequenceNumber = 0

  private constructor(receiver: Socket, senderPort: number) {
    this.#receiver = receiver
    this.#senderPort = senderPort
    receiver.on('message', (packet: Buffer) => {
      this.packets.push(packet)
      const { payload } = parseRtp(packet) ?? {}
      if (payload !== undefined) this.#received.push(new Uint8Array(payload))
    })
  }

  static async open(sfu: ServerProcess): Promise<RtpPath> {
    const receiver = createSocket('udp4')
    receiver.bind(0, '127.0.0.1')
    await once(receiver, 'listening')
    return new RtpPath(receiver, await portsFor(sfu, receiver))
  }

  /** A way through the newest room, where the one before may be gone. */
  async reopen(sfu: ServerProcess): Promise<void> {
    this.#senderPort = await portsFor(sfu, this.#receiver)
  }

  /** What comes out for it: repeated until the path stands, since RTP may be lost. */
  async carry(payload: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return await eventually('a packet to come through the SFU', () => {
      const arrived = this.#received.find((received) => Buffer.compare(received, payload) === 0)
      if (arrived === undefined) this.#send(payload)
      return arrived
    })
  }

  close(): void {
    this.#receiver.close()
  }

  #send(payload: Uint8Array): void {
    const header = Buffer.alloc(headerBytes)
    header.writeUInt8(0x80, 0)
    header.writeUInt8(opusPayloadType, 1)
    header.writeUInt16BE(this.#sequenceNumber & 0xffff, 2)
    header.writeUInt32BE(960 * this.#sequenceNumber, 4)
    header.writeUInt32BE(ssrc, 8)
    this.#sequenceNumber += 1
    const packet = Buffer.concat([header, payload])
    this.packets.push(packet)
    this.#receiver.send(packet, this.#senderPort, '127.0.0.1')
  }
}

async function portsFor(sfu: ServerProcess, receiver: Socket): Promise<number> {
  const { port: receiverPort } = receiver.address()
  const answer = await sfu.order({ order: 'media', receiverPort, ssrc })
  if (answer.done !== 'media') throw new Error('the SFU opened no ports')
  return answer.senderPort
}
