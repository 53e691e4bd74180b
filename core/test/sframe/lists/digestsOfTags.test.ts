import { createCipheriv } from 'node:crypto'
import type { Bytes } from '@conclave/core/codec'
import { encode } from '@conclave/core/codec'
import {
  cipherSuite,
  DigestList,
  decodeHeader,
  deriveKeySalt,
  deriveSecret,
  FrameAudit,
  FrameDecryptor,
  FrameEncryptor,
  frameDigest,
  SignedDigestList,
} from '@conclave/core/sframe'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../virtualClock.ts'
import { baseKeyOf, METADATA, Party } from '../party.ts'
import { hash } from './listedTrack.ts'

/** The field of GHASH: x^128 + x^7 + x^2 + x + 1, the first bit the lowest power (NIST SP 800-38D §6.3). */
const REDUCTION = 0xe1n << 120n

function multiply(x: bigint, y: bigint): bigint {
  let product = 0n
  let shifted = y
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= shifted
    shifted = shifted & 1n ? (shifted >> 1n) ^ REDUCTION : shifted >> 1n
  }
  return product
}

const toBigInt = (block: Uint8Array) => BigInt(`0x${Buffer.from(block).toString('hex')}`)

/** Changes a block's worth of an SFrame, and the next one so that the tag fits: it takes the key. */
function forgeUnderTheSameTag(sframe: Bytes, key: Uint8Array, at: number): Bytes {
  const cipher = createCipheriv('aes-128-ecb', key, null)
  const hashKey = toBigInt(cipher.update(new Uint8Array(16)))
  const change = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10n
  const forged = sframe.slice()
  for (const [block, difference] of [change, multiply(change, hashKey)].entries()) {
    const bytes = Buffer.from(difference.toString(16).padStart(32, '0'), 'hex')
    for (const [i, byte] of bytes.entries()) {
      const place = at + 16 * block + i
      forged[place] = (forged[place] as number) ^ byte
    }
  }
  return forged
}

describe('a member who makes another frame under the same tag', () => {
  const suite = cipherSuite(4)
  const camera = { leaf: 0, source: 'camera' } as const

  /** Alice's frame, what Mallory makes of it, and what each opens to at Bob's. */
  async function forgery() {
    const party = new Party()
    party.install(1n)
    const encryptor = new FrameEncryptor(party.member(0), 'camera', true)
    const sealed = await encryptor.encrypt(METADATA, new Uint8Array(64))
    if (!sealed.ok) throw new Error(sealed.reason)
    const { kid, ctr, ciphertext } = sealed
    const { key } = deriveKeySalt(suite, deriveSecret(suite, baseKeyOf(1n)), kid)
    const start = decodeHeader(ciphertext)?.length ?? 0
    const forged = forgeUnderTheSameTag(ciphertext, key.expose(), start)
    const open = async (sframe: Bytes) => {
      const result = await new FrameDecryptor(party.member(1), camera).decrypt(METADATA, sframe)
      if (!result.ok) throw new Error(result.reason)
      return result.plaintext
    }
    const frame = { kid, ctr, layer: 0, metadata: METADATA }
    const own = { sframe: ciphertext, content: await open(ciphertext) }
    return { frame, own, theirs: { sframe: forged, content: await open(forged) } }
  }

  it('gets it opened, and is found out by the digest of the frame alone', async () => {
    const { frame, own, theirs } = await forgery()
    expect(theirs.content).not.toEqual(own.content)
    const tagOf = ({ sframe }: { readonly sframe: Bytes }) => sframe.slice(-suite.nt)
    const digestOf = ({ content }: { readonly content: Bytes }) =>
      frameDigest(hash, { ...frame, content })

    const verdicts: string[] = []
    for (const digest of [tagOf, digestOf]) {
      const audit = new FrameAudit({ clock: new VirtualClock(), verify: async () => 'valid' })
      const { kid, ctr, layer } = frame
      const list = encode(DigestList, {
        epoch: 1n,
        kid,
        layer,
        layers: Uint8Array.of(layer),
        first: ctr,
        frames: [{ step: 0, digest: await digest(own) }],
      })
      audit.opened({ epoch: 1n, kid, ctr, layer, digest: await digest(theirs), isFormer: false })
      await audit.received(
        encode(SignedDigestList, { list, signature: new Uint8Array(64) }),
        camera,
      )
      verdicts.push(audit.stats().verdict)
    }
    // Lists of tags would have called it authentic.
    expect(verdicts).toEqual(['authenticated', 'forged'])
  })
})
