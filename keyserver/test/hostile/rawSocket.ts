import { connect, type Socket } from 'node:net'

/** A WebSocket frame (RFC 6455 §5.2), as wrong as one likes. */
export interface Frame {
  readonly opcode: number
  readonly payload: Uint8Array
  readonly fin?: boolean
  /** The three reserved bits. */
  readonly reserved?: number
  /** Clients have to mask. */
  readonly masked?: boolean
  /** What the header says, where that is not the payload's length. */
  readonly claimedLength?: number
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const textDecoder = new TextDecoder()
const endOfHead = '\r\n\r\n'

/**
 * A TCP connection that speaks WebSocket by hand: a client library would not send what a hostile
 * client does.
 */
export class RawSocket {
  /** Called for every whole message. */
  onText: (text: string) => void = () => {}
  onBinary: (bytes: Uint8Array) => void = () => {}
  readonly #tcp: Socket
  #received = new Uint8Array(0)
  #upgraded = false
  #head = ''

  private constructor(tcp: Socket) {
    this.#tcp = tcp
    tcp.setNoDelay(true)
    tcp.on('error', () => {})
  }

  /** Sends an HTTP request head as it is; settles when it has been answered or cut off. */
  static async open(port: number, head: string, waits = true): Promise<RawSocket> {
    const tcp = connect({ port, host: '127.0.0.1' })
    const socket = new RawSocket(tcp)
    const answered = new Promise<void>((resolve) => {
      tcp.once('close', resolve)
      tcp.on('data', (chunk: Uint8Array) => {
        socket.#take(chunk)
        resolve()
      })
      tcp.once('connect', () => {
        if (!waits) resolve()
      })
    })
    tcp.write(head, 'latin1')
    await answered
    return socket
  }

  /** The request head by which socket.io's transport is opened. */
  static upgradeHead(address: string): string {
    return [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      'Host: 127.0.0.1',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `X-Forwarded-For: ${address}`,
      '',
      '',
    ].join('\r\n')
  }

  get closed(): boolean {
    return this.#tcp.destroyed
  }
  get upgraded(): boolean {
    return this.#upgraded
  }
  /** The status line and headers of the answer, and what followed if it was no upgrade. */
  get answer(): string {
    return this.#head
  }

  /** Sends all of it at once, in one piece. */
  together(send: () => void): void {
    this.#tcp.cork()
    send()
    this.#tcp.uncork()
  }

  text(text: string): void {
    this.frame({ opcode: opcodes.text, payload: new TextEncoder().encode(text) })
  }

  binary(payload: Uint8Array): void {
    this.frame({ opcode: opcodes.binary, payload })
  }

  frame({ opcode, payload, fin = true, reserved = 0, masked = true, ...rest }: Frame): void {
    const length = rest.claimedLength ?? payload.length
    const size = length < 126 ? 0 : length < 65_536 ? 2 : 8
    const header = new Uint8Array(2 + size + (masked ? 4 : 0))
    const view = new DataView(header.buffer)
    header[0] = (fin ? 0x80 : 0) | ((reserved & 7) << 4) | (opcode & 15)
    header[1] = (masked ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127)
    if (size === 2) view.setUint16(2, length)
    if (size === 8) view.setBigUint64(2, BigInt(length))
    // A mask of zeros leaves the payload as it is.
    this.raw(header)
    this.raw(payload)
  }

  raw(bytes: Uint8Array | string): void {
    if (!this.closed) this.#tcp.write(bytes)
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#tcp.pause()
  }

  destroy(): void {
    this.#tcp.destroy()
  }

  #take(chunk: Uint8Array): void {
    if (this.#upgraded) {
      this.#takeFrames(chunk)
      return
    }
    this.#head += Buffer.from(chunk).toString('latin1')
    const end = this.#head.indexOf(endOfHead)
    if (end < 0 || !this.#head.startsWith('HTTP/1.1 101 ')) return
    this.#upgraded = true
    const rest = Buffer.from(this.#head.slice(end + endOfHead.length), 'latin1')
    this.#head = this.#head.slice(0, end)
    this.#takeFrames(rest)
  }

  #takeFrames(chunk: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, chunk])
    for (;;) {
      const frame = readFrame(this.#received)
      if (frame === undefined) return
      this.#received = this.#received.subarray(frame.end)
      // The server sends whole messages.
      if (frame.opcode === opcodes.text) this.onText(textDecoder.decode(frame.payload))
      else if (frame.opcode === opcodes.binary) this.onBinary(frame.payload)
      else if (frame.opcode === opcodes.close) this.#tcp.destroy()
    }
  }
}

function readFrame(
  bytes: Uint8Array,
): { readonly opcode: number; readonly payload: Uint8Array; readonly end: number } | undefined {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const short = second & 0x7f
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start) return undefined
  const length =
    short < 126 ? short : short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2))
  const end = start + length
  if (bytes.length < end) return undefined
  return { opcode: first & 15, payload: Uint8Array.from(bytes.subarray(start, end)), end }
}
