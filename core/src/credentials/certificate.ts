import { type Bytes, equalBytes, fromUtf8, plainBytes } from '../codec/bytes.ts'
import {
  constructed,
  DerReader,
  malformed,
  primitive,
  readCount,
  readFlag,
  readInteger,
  readOctets,
  readOid,
  readTime,
  readWhole,
  Tag,
} from './der.ts'

/** An X.509 certificate (RFC 5280 §4.1), read but not judged. All bytes are views of `encoded`. */
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
  readonly extensions: CertificateExtensions
}

/** What certificates and revocation lists have in common: something that an issuer has signed. */
export interface SignedDer {
  readonly signed: Bytes
  /** Encoded AlgorithmIdentifier. */
  readonly algorithm: Bytes
  readonly signature: Bytes
}

/** By object identifier in hexadecimal form. */
export type CertificateExtensions = ReadonlyMap<
  string,
  { readonly critical: boolean; readonly value: Bytes }
>

/** Object identifiers below 2.5.29, "id-ce". */
export const ExtensionOid = {
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  nameConstraints: '551d1e',
} as const

/** Bits of a KeyUsage's first octet. */
export const KeyUsage = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const

/** @throws CredentialError `credential-malformed` */
export function readCertificate(encoded: Uint8Array): Certificate {
  const outer = readWhole(encoded, Tag.sequence)
  const { signed, algorithm, signature, content } = readSigned(outer)
  const version = content.optional(constructed(0))
  // Version 3, or 1 where it is left out; version 2 was never in use.
  if (version !== undefined && readInteger(new DerReader(version.content)) !== '02') {
    throw malformed('a certificate of an unknown version')
  }
  const serialNumber = readInteger(content)
  checkAlgorithm(content, algorithm)
  const issuer = content.next(Tag.sequence).encoded
  const validity = content.inside(Tag.sequence)
  const [notBefore, notAfter] = [readTime(validity), readTime(validity)]
  validity.finish()
  const subject = content.next(Tag.sequence).encoded
  const publicKey = content.next(Tag.sequence).encoded
  content.optional(primitive(1))
  content.optional(primitive(2))
  const extensions = readExtensions(content.optional(constructed(3))?.content)
  content.finish()
  return {
    encoded: plainBytes(encoded),
    signed,
    algorithm,
    signature,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKey,
    extensions,
  }
}

/** The three parts of a SIGNED structure; `content` stands inside the first. */
export function readSigned(outer: DerReader): SignedDer & { readonly content: DerReader } {
  const { encoded: signed, content } = outer.next(Tag.sequence)
  const algorithm = outer.next(Tag.sequence).encoded
  const signature = readOctets(outer)
  outer.finish()
  return { signed, algorithm, signature, content: new DerReader(content) }
}

/** RFC 5280 §4.1.1.2: the algorithm inside, which is signed, is the one outside. */
export function checkAlgorithm(content: DerReader, algorithm: Bytes): void {
  if (!equalBytes(content.next(Tag.sequence).encoded, algorithm)) {
    throw malformed('two different signature algorithms')
  }
}

/** The content of an explicit tag around Extensions; RFC 5280 §4.2 allows none of them twice. */
export function readExtensions(tagged: Bytes | undefined): CertificateExtensions {
  const extensions = new Map<string, { critical: boolean; value: Bytes }>()
  if (tagged === undefined) return extensions
  const list = readWhole(tagged, Tag.sequence)
  while (!list.atEnd) {
    const extension = list.inside(Tag.sequence)
    const oid = readOid(extension)
    const critical = readFlag(extension)
    const value = extension.next(Tag.octetString).content
    extension.finish()
    if (extensions.has(oid)) throw malformed('an extension that occurs twice')
    extensions.set(oid, { critical, value })
  }
  return extensions
}

/**
 * RFC 5280 §4.2.1.9, or undefined for a certificate that may not issue others.
 * @throws CredentialError `credential-malformed`
 */
export function authorityOf({
  extensions,
}: Certificate): { readonly pathLength: number } | undefined {
  const extension = extensions.get(ExtensionOid.basicConstraints)
  if (extension === undefined) return undefined
  const constraints = readWhole(extension.value, Tag.sequence)
  const isAuthority = readFlag(constraints)
  const pathLength = constraints.atEnd ? Number.POSITIVE_INFINITY : readCount(constraints)
  constraints.finish()
  return isAuthority ? { pathLength } : undefined
}

/**
 * RFC 5280 §4.2.1.3: a key without a stated usage may be used for anything.
 * @throws CredentialError `credential-malformed`
 */
export function mayBeUsedFor({ extensions }: Certificate, usage: number): boolean {
  const extension = extensions.get(ExtensionOid.keyUsage)
  if (extension === undefined) return true
  const reader = new DerReader(extension.value)
  const [unused = 8, first = 0] = reader.next(Tag.bitString).content
  reader.finish()
  if (unused > 7) throw malformed('a key usage that is no bit string')
  return (first & usage) !== 0
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

const textTags: readonly number[] = [Tag.utf8String, Tag.printableString, Tag.ia5String]

function readAttributes(name: Bytes): CertifiedSubject['attributes'] {
  const attributes: { type: string; value: string }[] = []
  const names = readWhole(name, Tag.sequence)
  while (!names.atEnd) {
    const relative = names.inside(Tag.set)
    while (!relative.atEnd) {
      const attribute = relative.inside(Tag.sequence)
      const type = dotted(attribute.next(Tag.objectIdentifier).content)
      const { tag, content } = attribute.any()
      attribute.finish()
      if (textTags.includes(tag)) attributes.push({ type, value: readText(content) })
    }
  }
  return attributes
}

const alternativeKinds = {
  [primitive(1)]: 'email',
  [primitive(2)]: 'dns',
  [primitive(6)]: 'uri',
} as const

function readAlternativeNames(
  extensions: CertificateExtensions,
): CertifiedSubject['alternativeNames'] {
  const extension = extensions.get(ExtensionOid.subjectAltName)
  if (extension === undefined) return []
  const names: { kind: 'email' | 'dns' | 'uri'; name: string }[] = []
  const list = readWhole(extension.value, Tag.sequence)
  while (!list.atEnd) {
    const { tag, content } = list.any()
    const kind = alternativeKinds[tag]
    if (kind !== undefined) names.push({ kind, name: readText(content) })
  }
  return names
}

/** A name that ends where C's strings do is a classic way to look like somebody else. */
function readText(content: Bytes): string {
  const text = fromUtf8(content)
  if (text === undefined || /\p{Cc}/u.test(text)) throw malformed('a name that is not plain text')
  return text
}

function dotted(oid: Bytes): string {
  // Nobody's identifiers are as long, and a number of that many digits takes time to print.
  if (oid.length > 32) throw malformed('an object identifier without end')
  const arcs: bigint[] = []
  let arc = 0n
  for (const octet of oid) {
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    if ((octet & 0x80) !== 0) continue
    arcs.push(arc)
    arc = 0n
  }
  const [first = 0n, ...others] = arcs
  const root = first < 80n ? first / 40n : 2n
  return [root, first - 40n * root, ...others].join('.')
}
