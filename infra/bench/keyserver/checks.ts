import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { SignedBytes } from '../../../core/src/crypto/public/index.ts'
import * as primitives from '../primitives.ts'

/** A commit that renews the committer's keys; one that adds somebody besides. */
export type CommitKind = 'update' | 'add'

/** Signatures without which a commit cannot be judged. */
export interface Checks {
  readonly memberKey: ReturnType<typeof primitives.verificationKey>
  /** By the committer, whose key is known: the framing, the path's leaf and the GroupInfo. */
  readonly byMember: readonly SignedBytes[]
  /** By keys that are met for the first time: a KeyPackage with its leaf, and a certificate. */
  readonly byStrangers: readonly (readonly SignedBytes[])[]
}

/** Bytes that are signed in a leaf with its member extension, a KeyPackage, and a certificate. */
const leafBytes = 320
const keyPackageBytes = 420
const certificateBytes = 80

/** Signatures over as many bytes as those of a commit of this kind. */
export function checksOf(kind: CommitKind, messageBytes: number, groupInfoBytes: number): Checks {
  const member = signer()
  const joiner = signer()
  const device = signer()
  return {
    memberKey: primitives.verificationKey(member.publicKey),
    byMember: [messageBytes, leafBytes, groupInfoBytes].map(member.sign),
    byStrangers:
      kind === 'update'
        ? []
        : [[keyPackageBytes, leafBytes].map(joiner.sign), [device.sign(certificateBytes)]],
  }
}

function signer(): { publicKey: Uint8Array; sign(length: number): SignedBytes } {
  const pair = generateKeyPairSync('ed25519')
  const publicKey = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  return {
    publicKey,
    sign: (length) => {
      const message = randomBytes(length)
      return { publicKey, message, signature: primitives.sign(pair.privateKey, message) }
    },
  }
}
