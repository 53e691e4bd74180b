import {
  type Bytes,
  decode,
  decodePrefix,
  encode,
  fixedOpaque,
  fromUtf8,
  type Infer,
  opaque,
  struct,
  toHex,
  uint32,
  utf8,
} from '@conclave/core/codec'
import type { PublicSuite } from '@conclave/core/crypto/public'
import { RoomDescription } from '@conclave/core/meeting'
import {
  frameApplicationData,
  mediaType,
  unframeApplicationData,
} from '@conclave/core/mls/application'
import { SessionError } from './sessionError.ts'

/*
 * What members tell each other in application messages: `application_data` in the extensions draft's
 * framing, whose media type says which of these it holds. A later kind begins with a position too.
 *
 * struct {
 *     opaque run[8];        // random, new whenever its sender enters the group
 *     uint32 number;        // of the sender's messages of this run, from 0
 *     uint32 epoch_start;   // the number that the sender's first message of this epoch has
 * } Position;
 *
 * struct {                  // application/vnd.conclave.chat
 *     Position position;
 *     opaque text<V>;       // UTF-8
 * } Chat;
 *
 * struct {                  // application/vnd.conclave.reaction
 *     Position position;
 *     opaque to[16];        // the id of a message
 *     opaque emoji<V>;      // UTF-8
 * } Reaction;
 *
 * struct {                  // application/vnd.conclave.room: a breakout room was opened
 *     Position position;
 *     RoomDescription description;
 * } Room;
 *
 * An id is the beginning of the hash of MessageName, so that nobody can give one twice.
 *
 * struct {
 *     opaque signature_key<V>;
 *     opaque run[8];
 *     uint32 number;
 * } MessageName;
 */
export const runBytes = 8
const run = fixedOpaque(runBytes)
const Position = struct({ run, number: uint32, epochStart: uint32 })
export type Position = Infer<typeof Position>

const Chat = struct({ position: Position, text: opaque() })
const Reaction = struct({ position: Position, to: fixedOpaque(16), emoji: opaque() })
const Room = struct({ position: Position, description: RoomDescription })
const MessageName = struct({ signatureKey: opaque(), run, number: uint32 })

const family = 'application/vnd.conclave.'
const chatType = `${family}chat`
const reactionType = `${family}reaction`
const roomType = `${family}room`

/** Of a message's text, in bytes of UTF-8: with all around it, it fits into an application message. */
const maxTextBytes = 8192
/** A family of four with skin tones has 41 bytes. */
const maxEmojiBytes = 64
const idBytes = 16

/** What a member says. Nothing in it is to be trusted as markup. */
export type ChatContent =
  | { readonly kind: 'chat'; readonly text: string }
  | { readonly kind: 'reaction'; readonly to: string; readonly emoji: string }
  | { readonly kind: 'room'; readonly description: RoomDescription }

export interface PlacedContent {
  readonly position: Position
  /** Undefined for a kind that this version does not know. */
  readonly content: ChatContent | undefined
}

/**
 * A content's `application_data`, as soon as its position is known.
 * @throws SessionError `argument-invalid` for text that is empty, too long or not well-formed, and
 *   for what is no message's id
 */
export function prepareContent(content: ChatContent): (position: Position) => Bytes {
  if (content.kind === 'chat') {
    const text = textBytes('a text', content.text, maxTextBytes)
    return (position) => frameApplicationData(encode(Chat, { position, text }), mediaType(chatType))
  }
  if (content.kind === 'room') {
    const { description } = content
    return (position) =>
      frameApplicationData(encode(Room, { position, description }), mediaType(roomType))
  }
  const emoji = textBytes('a reaction', content.emoji, maxEmojiBytes)
  if (!/^[0-9a-f]{32}$/.test(content.to)) throw invalid('a reaction names the id of a message')
  const to = Uint8Array.from({ length: idBytes }, (_, i) =>
    Number.parseInt(content.to.slice(2 * i, 2 * i + 2), 16),
  )
  return (position) =>
    frameApplicationData(encode(Reaction, { position, to, emoji }), mediaType(reactionType))
}

/**
 * @throws ConclaveError where a member says what cannot be read: MlsError
 *   `application-framing-malformed`, CodecError, SessionError `message-unreadable`
 */
export function readContent(applicationData: Bytes): PlacedContent {
  const { mediaType: named, innerApplicationContent: inner } = unframeApplicationData(
    applicationData,
    [],
  )
  const type = fromUtf8(named.type)?.toLowerCase()
  switch (type) {
    case chatType: {
      const { position, text } = decode(Chat, inner)
      return { position, content: { kind: 'chat', text: textOf(text, maxTextBytes) } }
    }
    case reactionType: {
      const { position, to, emoji } = decode(Reaction, inner)
      const content = {
        kind: 'reaction',
        to: toHex(to),
        emoji: textOf(emoji, maxEmojiBytes),
      } as const
      return { position, content }
    }
    case roomType: {
      const { position, description } = decode(Room, inner)
      return { position, content: { kind: 'room', description } }
    }
    default:
      if (type?.startsWith(family) !== true) throw unreadable('content of an unknown media type')
      return { position: decodePrefix(Position, inner), content: undefined }
  }
}

/** The name by which a reaction means a message: 32 hexadecimal digits. */
export function messageId(
  crypto: Pick<PublicSuite, 'hash'>,
  signatureKey: Bytes,
  { run, number }: Pick<Position, 'run' | 'number'>,
): string {
  return toHex(crypto.hash(encode(MessageName, { signatureKey, run, number })).slice(0, idBytes))
}

function textBytes(what: string, text: string, limit: number): Bytes {
  const encoded = utf8(text)
  if (encoded.length === 0 || encoded.length > limit || fromUtf8(encoded) !== text) {
    throw invalid(`${what} has 1 to ${limit} bytes of UTF-8`)
  }
  return encoded
}

function textOf(encoded: Bytes, limit: number): string {
  const text = fromUtf8(encoded)
  if (text === undefined || encoded.length === 0 || encoded.length > limit) {
    throw unreadable('text that is empty, too long, or not UTF-8')
  }
  return text
}

function invalid(message: string): SessionError {
  return new SessionError('argument-invalid', message)
}

function unreadable(message: string): SessionError {
  return new SessionError('message-unreadable', message)
}
