const headEnd = Buffer.from('\r\n\r\n')

/**
 * The application data of one direction of a WebSocket connection (RFC 6455 §5.2), from the HTTP
 * head that opens it on. What clients send is masked: a search of the bytes as they come finds
 * nothing.
 */
export class WebSocketPayloads {
  /** The frames' contents, unmasked, in their order. */
  readonly messages: Buffer[] = []
  #unread = Buffer.alloc(0)
  #upgraded = false

  /** @throws Error where frames are compressed, which nobody could search */
  push(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    if (!this.#upgraded) this.#readHead()
    if (!this.#upgraded) return
    while (this.#readFrame()) {}
  }

  #readHead(): void {
    const end = this.#unread.indexOf(headEnd)
    if (end < 0) return
    const head = this.#unread.subarray(0, end).toString('latin1')
    // What is no WebSocket is searched as it is.
    if (!/^upgrade: websocket$/im.test(head)) return
    this.#upgraded = true
    this.#unread = this.#unread.subarray(end + headEnd.length)
  }

  #readFrame(): boolean {
    const unread = this.#unread
    if (unread.length < 2) return false
    const [first, second] = [unread.readUInt8(0), unread.readUInt8(1)]
    if ((first & 0x70) !== 0) throw new Error('a WebSocket frame with an extension')
    const short = second & 0x7f
    const sizeBytes = short === 127 ? 8 : short === 126 ? 2 : 0
    const maskBytes = (second & 0x80) === 0 ? 0 : 4
    const start = 2 + sizeBytes + maskBytes
    if (unread.length < start) return false
    const length =
      sizeBytes === 8
        ? Number(unread.readBigUInt64BE(2))
        : sizeBytes === 2
          ? unread.readUInt16BE(2)
          : short
    if (unread.length < start + length) return false
    const payload = Buffer.from(unread.subarray(start, start + length))
    for (let at = 0; maskBytes > 0 && at < length; at++) {
      payload[at] = payload.readUInt8(at) ^ unread.readUInt8(2 + sizeBytes + (at & 3))
    }
    this.messages.push(payload)
    this.#unread = unread.subarray(start + length)
    return true
  }
}
