/** What a test asks of a server that it has started; each is answered by {@link Answer}. */
export type Order =
  /** Writes a V8 heap snapshot. */
  | { readonly order: 'snapshot'; readonly path: string }
  /** Keeps a value on the heap. */
  | { readonly order: 'hold'; readonly value: string | Uint8Array }
  /** Writes to the log. */
  | { readonly order: 'log'; readonly bytes: Uint8Array }
  /** Sends to every client. */
  | { readonly order: 'tell'; readonly bytes: Uint8Array }
  /** To the SFU alone: opens ports for RTP in the room. */
  | { readonly order: 'media'; readonly receiverPort: number; readonly ssrc: number }

export type Answer =
  | { readonly done: Exclude<Order['order'], 'media'> }
  | { readonly done: 'media'; readonly senderPort: number }

export interface Failure {
  readonly failed: string
}
