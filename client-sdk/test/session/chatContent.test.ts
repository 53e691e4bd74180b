import {
  type Bytes,
  concatBytes,
  encode,
  fixedOpaque,
  opaque,
  struct,
  uint32,
  utf8,
} from '@conclave/core/codec'
import { RoomDescription } from '@conclave/core/meeting'
import { frameApplicationData, mediaType } from '@conclave/core/mls/application'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../core/test/campaign.ts'
import { type ChatContent, prepareContent, readContent } from '../../src/session/chatContent.ts'

const position = { run: new Uint8Array(8).fill(7), number: 3, epochStart: 2 }
const Position = struct({ run: fixedOpaque(8), number: uint32, epochStart: uint32 })
const Text = struct({ text: opaque() })
const Reaction = struct({ to: fixedOpaque(16), emoji: opaque() })

/** What a member might send under this media type. */
function framed(type: string, ...parts: readonly Bytes[]): Bytes {
  return frameApplicationData(concatBytes(encode(Position, position), ...parts), mediaType(type))
}

function refusalOf(read: () => unknown): string | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return (error as { code?: string }).code
  }
}

const chat = (text: Bytes) => framed('application/vnd.conclave.chat', encode(Text, { text }))
const reaction = (emoji: Bytes) =>
  framed(
    'application/vnd.conclave.reaction',
    encode(Reaction, { to: new Uint8Array(16).fill(1), emoji }),
  )

describe('what members write', () => {
  it('is in the extensions draft’s framing, as structs that stand in the documentation', () => {
    const reacted: ChatContent = { kind: 'reaction', to: '01'.repeat(16), emoji: '👍🏽' }
    expect(prepareContent({ kind: 'chat', text: 'héllo' })(position)).toEqual(chat(utf8('héllo')))
    expect(prepareContent(reacted)(position)).toEqual(reaction(utf8('👍🏽')))
    expect(readContent(reaction(utf8('👍🏽')))).toEqual({ position, content: reacted })
  })

  it('is read as it was written, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }), (text) => {
        const content = { kind: 'chat', text } as const
        expect(readContent(prepareContent(content)(position))).toEqual({ position, content })
      }),
      { seed },
    )
  })

  it('calls people into a breakout room', () => {
    const description = {
      parentGroupId: new Uint8Array(16).fill(2),
      nonce: new Uint8Array(16).fill(3),
      name: utf8('red'),
      called: [new Uint8Array(32).fill(4)],
    }
    const content = { kind: 'room', description } as const
    const data = prepareContent(content)(position)
    expect(data).toEqual(
      framed('application/vnd.conclave.room', encode(RoomDescription, description)),
    )
    expect(readContent(data)).toEqual({ position, content })
    const cut = framed('application/vnd.conclave.room', utf8('red'))
    expect(refusalOf(() => readContent(cut))).toMatch(/^codec-/)
  })

  it('is refused by readers where it breaks the bounds that writers keep', () => {
    const broken: readonly Bytes[] = [
      chat(new Uint8Array(0)),
      chat(new Uint8Array(8193).fill(0x61)),
      chat(Uint8Array.of(0xff)),
      // A surrogate half, and a longer form of "a".
      chat(Uint8Array.of(0xed, 0xa0, 0x80)),
      chat(Uint8Array.of(0xc1, 0xa1)),
      reaction(new Uint8Array(0)),
      reaction(new Uint8Array(65).fill(0x61)),
      framed('text/plain', encode(Text, { text: utf8('hello') })),
    ]
    for (const data of broken) expect(refusalOf(() => readContent(data))).toBe('message-unreadable')
  })

  it('of a kind to come has a place among its sender’s, and says nothing', () => {
    expect(readContent(framed('application/vnd.conclave.poll', utf8('?')))).toEqual({
      position,
      content: undefined,
    })
  })

  it('is refused where it is cut off, too long or not framed', () => {
    const whole = chat(utf8('hello'))
    for (const data of [
      ...Array.from({ length: whole.length }, (_, end) => whole.slice(0, end)),
      concatBytes(whole, utf8('!')),
      utf8('hello'),
      frameApplicationData(utf8('hello')),
    ]) {
      expect(refusalOf(() => readContent(data))).toMatch(/^(application-framing-malformed|codec-)/)
    }
  })
})
