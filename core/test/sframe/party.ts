import {
  type EpochInstall,
  type ExpectedSender,
  FrameDecryptor,
  FrameEncryptor,
  FrameKeys,
  type MediaSource,
  webCryptoAead,
} from '@conclave/core/sframe'
import { VirtualClock } from '../virtualClock.ts'

export const aead = webCryptoAead(crypto.subtle)

/** Bytes that differ from epoch to epoch, as an exporter's would. */
export function baseKeyOf(epoch: bigint, length = 16): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => Number((epoch * 31n + BigInt(i) * 7n) % 251n))
}

export function epochOf(
  epoch: bigint,
  ownLeaf: number,
  changes: Partial<EpochInstall> = {},
): EpochInstall {
  const leaves = [0, 1, 2]
  return {
    epoch,
    baseKey: baseKeyOf(epoch),
    ownLeaf,
    leaves,
    removedLeaves: [],
    incarnation: 0,
    ...changes,
  }
}

/** A group of frame keys that share one clock: everybody installs every epoch. */
export class Party {
  readonly clock = new VirtualClock()
  readonly members: FrameKeys[]

  constructor(size = 3) {
    this.members = Array.from({ length: size }, () => new FrameKeys({ aead, clock: this.clock }))
  }

  member(leaf: number): FrameKeys {
    const member = this.members[leaf]
    if (member === undefined) throw new RangeError(`no member ${leaf}`)
    return member
  }

  install(epoch: bigint, changes: Partial<EpochInstall> = {}): void {
    for (const [leaf, member] of this.members.entries()) {
      if (changes.leaves?.includes(leaf) === false) continue
      member.installEpoch(epochOf(epoch, leaf, changes))
    }
  }

  encryptor(leaf: number, source: MediaSource = 'camera'): FrameEncryptor {
    return new FrameEncryptor(this.member(leaf), source)
  }

  decryptor(leaf: number, expected: ExpectedSender): FrameDecryptor {
    return new FrameDecryptor(this.member(leaf), expected)
  }
}

export const METADATA = Uint8Array.of(0x10, 0x02)
export const PLAINTEXT = new TextEncoder().encode('a frame of somebody speaking')

/** One frame's header, ciphertext and tag. */
export async function encryptFrame(encryptor: FrameEncryptor): Promise<Uint8Array<ArrayBuffer>> {
  const result = await encryptor.encrypt(METADATA, PLAINTEXT)
  if (!result.ok) throw new Error(`not encrypted: ${result.reason}`)
  return result.ciphertext
}
