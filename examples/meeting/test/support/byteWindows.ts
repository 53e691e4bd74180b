const windowBytes = 8

/** Every run of eight bytes in some texts, to be looked for in others. */
export class ByteWindows {
  readonly #windows = new Set<bigint>()

  add(bytes: Uint8Array): void {
    for (const window of windowsOf(bytes)) this.#windows.add(window)
  }

  get size(): number {
    return this.#windows.size
  }

  occurIn(bytes: Uint8Array): boolean {
    for (const window of windowsOf(bytes)) if (this.#windows.has(window)) return true
    return false
  }
}

function* windowsOf(bytes: Uint8Array): Generator<bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + windowBytes <= bytes.length; at++) yield view.getBigUint64(at)
}
