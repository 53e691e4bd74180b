import { type Bytes, utf8 } from '../../codec/bytes.ts'
import { encode, encodeFor } from '../../codec/tls.ts'
import { AuthenticatedContent } from '../../wire/framing.ts'
import { KeyPackage } from '../../wire/keyPackage.ts'
import { RefHashInput } from '../../wire/labels.ts'
import type { PublicSuite } from './publicSuite.ts'

/** RFC 9420 §5.2. Unlike every other label, these carry their "MLS 1.0" themselves. */
export function refHash(crypto: PublicSuite, label: string, value: Bytes): Bytes {
  return encodeFor(RefHashInput, { label: utf8(label), value }, crypto.hash)
}

export function makeKeyPackageRef(crypto: PublicSuite, keyPackage: KeyPackage): Bytes {
  return refHash(crypto, 'MLS 1.0 KeyPackage Reference', encode(KeyPackage, keyPackage))
}

/** The reference covers the whole AuthenticatedContent, so it names one signed message. */
export function makeProposalRef(crypto: PublicSuite, content: AuthenticatedContent): Bytes {
  return refHash(crypto, 'MLS 1.0 Proposal Reference', encode(AuthenticatedContent, content))
}
