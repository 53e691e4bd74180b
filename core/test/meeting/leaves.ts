import { emptyBytes, utf8 } from '@conclave/core/codec'
import { Secret, type Signer, signWithLabel } from '@conclave/core/crypto/secret'
import { memberExtension, memberLabel, memberTbs } from '@conclave/core/meeting'
import type { Extensions, GroupContext, LeafNode } from '@conclave/core/wire'
import { seededRandom, suiteWith } from '../crypto/suite.ts'

export const crypto = suiteWith(seededRandom('meeting'))
export const meetingId = 'standup'

export function signer(seed: number): Promise<Signer> {
  return crypto.importSigner(new Secret(new Uint8Array(32).fill(seed)))
}

export interface LeafOptions {
  readonly identity?: string
  /** Seed of the key that signs for the leaf. */
  readonly leafKey?: number
  /** Seed of the device's key. */
  readonly deviceKey?: number
  /** The meeting that the device certifies the leaf for. */
  readonly certifiedFor?: string
}

/** A leaf as a member of a Conclave group has it; its own signature is MLS's concern. */
export async function memberLeaf({
  identity = 'alice',
  leafKey = 1,
  deviceKey = 2,
  certifiedFor = meetingId,
}: LeafOptions = {}): Promise<LeafNode> {
  const [leafSigner, device] = await Promise.all([signer(leafKey), signer(deviceKey)])
  const certificate = memberTbs(certifiedFor, leafSigner.publicKey)
  const member = memberExtension({
    deviceKey: device.publicKey,
    deviceSignature: await signWithLabel(device, memberLabel, certificate),
    ticket: undefined,
  })
  return {
    encryptionKey: new Uint8Array(32).fill(leafKey),
    signatureKey: leafSigner.publicKey,
    credential: { credentialType: 1, identity: utf8(identity) },
    capabilities: {
      versions: [1],
      cipherSuites: [1],
      extensions: [0xf000, 0xf001],
      proposals: [10],
      credentials: [1],
    },
    leafNodeSource: 2,
    extensions: [member],
    signature: emptyBytes,
  }
}

export function contextWith(extensions: Extensions): GroupContext {
  return {
    version: 1,
    cipherSuite: 1,
    groupId: new Uint8Array(16),
    epoch: 0n,
    treeHash: emptyBytes,
    confirmedTranscriptHash: emptyBytes,
    extensions,
  }
}
