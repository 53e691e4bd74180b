import type { Bytes } from '../codec/bytes.ts'
import { checkAlgorithm, readExtensions, readSigned, type SignedDer } from './certificate.ts'
import { CredentialError } from './credentialError.ts'
import { constructed, DerReader, readInteger, readTime, readWhole, Tag } from './der.ts'

/** What an issuer of certificates has taken back (RFC 5280 §5). Read, but its signature not verified. */
export interface RevocationList extends SignedDer {
  /** Encoded Name. */
  readonly issuer: Bytes
  /** Milliseconds since the Unix epoch. */
  readonly thisUpdate: number
  readonly nextUpdate: number
  /** Serial numbers in hexadecimal form. */
  readonly revoked: ReadonlySet<string>
}

/**
 * A complete list of one issuer's. Lists of changes, of some reasons only or of several issuers'
 * certificates are refused: taken for complete they would hide what they leave out.
 * @throws CredentialError `credential-malformed`, `credential-revocation-list-invalid`
 */
export function readRevocationList(encoded: Uint8Array): RevocationList {
  const { signed, algorithm, signature, content } = readSigned(readWhole(encoded, Tag.sequence))
  const version = content.optional(Tag.integer)
  if (version !== undefined && (version.content.length !== 1 || version.content[0] !== 1)) {
    throw invalid('a list of an unknown version')
  }
  checkAlgorithm(content, algorithm)
  const issuer = content.next(Tag.sequence).encoded
  const thisUpdate = readTime(content)
  // RFC 5280 §5.1.2.5 demands it, and without it nobody could tell that a list is withheld.
  if (!content.startsWith(Tag.utcTime) && !content.startsWith(Tag.generalizedTime)) {
    throw invalid('a list that does not say when the next one comes')
  }
  const nextUpdate = readTime(content)
  const revoked = readRevoked(content.optional(Tag.sequence)?.content)
  refuseCritical(content.optional(constructed(0))?.content)
  content.finish()
  return { signed, algorithm, signature, issuer, thisUpdate, nextUpdate, revoked }
}

function readRevoked(entries: Bytes | undefined): ReadonlySet<string> {
  const revoked = new Set<string>()
  if (entries === undefined) return revoked
  const list = new DerReader(entries)
  while (!list.atEnd) {
    const entry = list.inside(Tag.sequence)
    revoked.add(readInteger(entry))
    readTime(entry)
    refuseCritical(entry.optional(Tag.sequence)?.encoded)
    entry.finish()
  }
  return revoked
}

function refuseCritical(extensions: Bytes | undefined): void {
  for (const { critical } of readExtensions(extensions).values()) {
    if (critical) throw invalid('a list with a critical extension that nobody here understands')
  }
}

function invalid(what: string): CredentialError {
  return new CredentialError('credential-revocation-list-invalid', what)
}
