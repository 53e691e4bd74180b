import * as asn1 from '@peculiar/asn1-x509'
import { type Bytes, equalBytes, plainBytes, toHex } from '../codec/bytes.ts'
import { derOf, malformed, readDer } from './asn1.ts'
import { CredentialError } from './credentialError.ts'

/** An X.509 certificate (RFC 5280 §4.1), read but not judged. */
export interface Certificate extends SignedDer {
  readonly encoded: Bytes
  /** In hexadecimal form. */
  readonly serialNumber: string
  /** Encoded Names, which are the same name where they are the same bytes (§7.1). */
  readonly issuer: Bytes
  readonly subject: Bytes
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number
  readonly notAfter: number
  /** Encoded SubjectPublicKeyInfo. */
  readonly publicKey: Bytes
  /** RFC 5280 §4.2.1.9; undefined for a certificate that may not issue others. */
  readonly authority: { readonly pathLength: number } | undefined
  /** KeyUsageFlags (§4.2.1.3); undefined where nothing is said. */
  readonly keyUsage: number | undefined
  readonly extensions: CertificateExtensions
}

/** What certificates and revocation lists have in common: something that an issuer has signed. */
export interface SignedDer {
  /** The very bytes that were read. */
  readonly signed: Bytes
  /** Encoded AlgorithmIdentifier. */
  readonly algorithm: Bytes
  readonly signature: Bytes
}

/** By object identifier. */
export type CertificateExtensions = ReadonlyMap<
  string,
  { readonly critical: boolean; readonly value: Bytes }
>

const maxCertificateBytes = 16_384
/** A certificate has about a hundred; an extension of one may name hundreds of servers. */
const maxElements = 1024

/** @throws CredentialError `credential-malformed`, `credential-too-large` */
export function readCertificate(encoded: Uint8Array): Certificate {
  if (encoded.length > maxCertificateBytes) {
    throw new CredentialError('credential-too-large', 'more bytes than anyone takes in')
  }
  const certificate = readDer(asn1.Certificate, encoded, maxElements)
  const { tbsCertificate: content, tbsCertificateRaw, signatureAlgorithm } = certificate
  // Version 3, or 1 where it is left out; version 2 was never in use.
  if (content.version !== asn1.Version.v3 && content.version !== asn1.Version.v1) {
    throw malformed('a certificate of an unknown version')
  }
  const { notBefore, notAfter } = content.validity
  const extensions = readExtensions(content.extensions)
  return {
    encoded: plainBytes(encoded),
    signed: signedBytes(tbsCertificateRaw),
    algorithm: commonAlgorithm(content.signature, signatureAlgorithm),
    signature: new Uint8Array(certificate.signatureValue),
    serialNumber: readSerialNumber(content.serialNumber),
    issuer: derOf(content.issuer),
    subject: derOf(content.subject),
    notBefore: notBefore.getTime().getTime(),
    notAfter: notAfter.getTime().getTime(),
    publicKey: derOf(content.subjectPublicKeyInfo),
    authority: readAuthority(extensions),
    keyUsage: readKeyUsage(extensions),
    extensions,
  }
}

/** What the library calls raw: the bytes that it has read the signed part from. */
export function signedBytes(raw: ArrayBuffer | undefined): Bytes {
  if (raw === undefined) throw malformed('nothing that was signed')
  return new Uint8Array(raw)
}

/** RFC 5280 §4.1.1.2: the algorithm inside, which is signed, is the one outside. */
export function commonAlgorithm(
  inside: asn1.AlgorithmIdentifier,
  outside: asn1.AlgorithmIdentifier,
): Bytes {
  const algorithm = derOf(outside)
  if (!equalBytes(derOf(inside), algorithm)) throw malformed('two different signature algorithms')
  return algorithm
}

/** The library takes and writes integers in any length: here the same number has the same text. */
export function readSerialNumber(integer: ArrayBuffer): string {
  const bytes = new Uint8Array(integer)
  const [first, second = 0] = bytes
  const padded =
    bytes.length > 1 && (first === 0 ? second < 0x80 : first === 0xff && second >= 0x80)
  if (first === undefined || padded) throw malformed('an integer that is not in its shortest form')
  return toHex(bytes)
}

/** RFC 5280 §4.2 allows none of them twice. */
export function readExtensions(list: readonly asn1.Extension[] = []): CertificateExtensions {
  const extensions = new Map<string, { critical: boolean; value: Bytes }>()
  for (const { extnID, critical, extnValue } of list) {
    if (extensions.has(extnID)) throw malformed('an extension that occurs twice')
    extensions.set(extnID, { critical, value: new Uint8Array(extnValue.buffer) })
  }
  return extensions
}

function readAuthority(extensions: CertificateExtensions): Certificate['authority'] {
  const extension = extensions.get(asn1.id_ce_basicConstraints)
  if (extension === undefined) return undefined
  const { cA, pathLenConstraint } = readDer(asn1.BasicConstraints, extension.value, maxElements)
  const pathLength = pathLenConstraint ?? Number.POSITIVE_INFINITY
  // The library has a string for what is too long for a number.
  if (typeof pathLength !== 'number' || pathLength < 0)
    throw malformed('a path length out of range')
  return cA ? { pathLength } : undefined
}

function readKeyUsage(extensions: CertificateExtensions): number | undefined {
  const extension = extensions.get(asn1.id_ce_keyUsage)
  return extension && readDer(asn1.KeyUsage, extension.value, maxElements).toNumber()
}

/** A key without a stated usage may be used for anything (RFC 5280 §4.2.1.3). */
export function mayBeUsedFor({ keyUsage }: Certificate, usage: asn1.KeyUsageFlags): boolean {
  return keyUsage === undefined || (keyUsage & usage) !== 0
}

/** What a leaf certificate says of whom it was issued to, for the application to choose from. */
export interface CertifiedSubject {
  /** The subject's attributes that are text, in their order: `{ type: '2.5.4.3', value: 'Ann' }`. */
  readonly attributes: readonly { readonly type: string; readonly value: string }[]
  /** The subject's alternative names of these kinds (RFC 5280 §4.2.1.6). */
  readonly alternativeNames: readonly {
    readonly kind: 'email' | 'dns' | 'uri'
    readonly name: string
  }[]
  /** The certificate itself, in DER. */
  readonly certificate: Bytes
}

/** @throws CredentialError `credential-malformed` */
export function subjectOf(certificate: Certificate): CertifiedSubject {
  return {
    attributes: readAttributes(certificate.subject),
    alternativeNames: readAlternativeNames(certificate.extensions),
    certificate: certificate.encoded,
  }
}

function readAttributes(name: Bytes): CertifiedSubject['attributes'] {
  const attributes: { type: string; value: string }[] = []
  for (const { type, value } of readDer(asn1.Name, name, maxElements).flat()) {
    const ascii = value.printableString ?? value.ia5String
    const text = ascii === undefined ? value.utf8String : readAscii(ascii)
    if (text !== undefined) attributes.push({ type, value: readText(text) })
  }
  return attributes
}

function readAlternativeNames(
  extensions: CertificateExtensions,
): CertifiedSubject['alternativeNames'] {
  const extension = extensions.get(asn1.id_ce_subjectAltName)
  if (extension === undefined) return []
  const list = readDer(asn1.SubjectAlternativeName, extension.value, maxElements)
  const names: { kind: 'email' | 'dns' | 'uri'; name: string }[] = []
  const add = (kind: 'email' | 'dns' | 'uri', name: string | undefined) => {
    if (name !== undefined) names.push({ kind, name: readText(readAscii(name)) })
  }
  for (const { rfc822Name, dNSName, uniformResourceIdentifier } of list) {
    add('email', rfc822Name)
    add('dns', dNSName)
    add('uri', uniformResourceIdentifier)
  }
  return names
}

/** The library has a character for each octet. */
function readAscii(text: string): string {
  if (/[^\p{ASCII}]/u.test(text)) throw malformed('a name of letters that its type does not have')
  return text
}

/** A name that ends where C's strings do is a classic way to look like somebody else. */
function readText(text: string): string {
  if (/\p{Cc}/u.test(text)) throw malformed('a name that is not plain text')
  return text
}
