import * as asn1 from '@peculiar/asn1-x509'
import type { Bytes } from '../codec/bytes.ts'
import { checkDer, derOf, parse } from './asn1.ts'
import {
  commonAlgorithm,
  readExtensions,
  readSerialNumber,
  type SignedDer,
  signedBytes,
} from './certificate.ts'
import { CredentialError } from './credentialError.ts'
import { CertificateList, type RevokedCertificate } from './revocationListSyntax.ts'

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

/** Some hundred thousand entries: reading so many takes seconds. */
const maxListBytes = 2 ** 22

/**
 * A complete list of one issuer's. Lists of changes, of some reasons only or of several issuers'
 * certificates are refused: taken for complete they would hide what they leave out.
 * @throws CredentialError `credential-malformed`, `credential-too-large`,
 *   `credential-revocation-list-invalid`
 */
export function readRevocationList(encoded: Uint8Array): RevocationList {
  if (encoded.length > maxListBytes) {
    throw new CredentialError('credential-too-large', 'more bytes than anyone takes in')
  }
  // An element takes two bytes at least.
  const list = parse(CertificateList, encoded, encoded.length / 2)
  const { tbsCertList: content, tbsCertListRaw, signatureAlgorithm, signature } = list
  if (content.version !== undefined && content.version !== asn1.Version.v2) {
    throw invalid('a list of an unknown version')
  }
  // RFC 5280 §5.1.2.5 demands it, and without it nobody could tell that a list is withheld.
  if (content.nextUpdate === undefined) {
    throw invalid('a list that does not say when the next one comes')
  }
  checkDer(list, encoded)
  refuseCritical(content.crlExtensions)
  return {
    signed: signedBytes(tbsCertListRaw),
    algorithm: commonAlgorithm(content.signature, signatureAlgorithm),
    signature: new Uint8Array(signature),
    issuer: derOf(content.issuer),
    thisUpdate: content.thisUpdate.getTime().getTime(),
    nextUpdate: content.nextUpdate.getTime().getTime(),
    revoked: readRevoked(content.revokedCertificates),
  }
}

function readRevoked(entries: readonly RevokedCertificate[] = []): ReadonlySet<string> {
  const revoked = new Set<string>()
  for (const { userCertificate, crlEntryExtensions } of entries) {
    refuseCritical(crlEntryExtensions)
    revoked.add(readSerialNumber(userCertificate))
  }
  return revoked
}

function refuseCritical(extensions: readonly asn1.Extension[] | undefined): void {
  for (const { critical } of readExtensions(extensions).values()) {
    if (critical) throw invalid('a list with a critical extension that nobody here understands')
  }
}

function invalid(what: string): CredentialError {
  return new CredentialError('credential-revocation-list-invalid', what)
}
