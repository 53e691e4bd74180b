import {
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  KeyUsageFlags,
} from '@peculiar/asn1-x509'
import { type Bytes, equalBytes, toHex } from '../codec/bytes.ts'
import type { CipherSuite } from '../crypto/public/cipherSuite.ts'
import { marginWhenSending, toleranceWhenReceiving } from '../mls/public/keyPackage.ts'
import type { Judge } from '../mls/public/policy.ts'
import type { Clock } from '../runtime.ts'
import type { Credential } from '../wire/credential.ts'
import type { CredentialType } from '../wire/registry.ts'
import {
  type Certificate,
  type CertifiedSubject,
  mayBeUsedFor,
  readCertificate,
  subjectOf,
} from './certificate.ts'
import { type CertificateCrypto, encodesKey, isSignedBy } from './certificateSignature.ts'
import { ChainReader } from './chainReader.ts'
import { CredentialError, type CredentialErrorCode } from './credentialError.ts'
import type { RevocationList } from './revocationList.ts'

export type X509Credential = Extract<
  Credential,
  { readonly credentialType: typeof CredentialType.x509 }
>

export interface X509Trust extends CertificateCrypto {
  readonly clock: Pick<Clock, 'now'>
  /** Certificates in DER of the authorities that are believed. */
  readonly roots: readonly Uint8Array[]
  readonly revocation?: Revocation
}

export interface Revocation {
  /** The lists at hand, asked for each time; the same objects as before where nothing has changed. */
  readonly lists: () => readonly RevocationList[]
  /**
   * Whether a certificate is refused whose issuer has no current list here. If not, what is on a
   * list counts, and that a list is missing or stale does not.
   */
  readonly failClosed: boolean
}

export interface X509Validator {
  /**
   * RFC 9420 §5.3 and RFC 5280 §6: whether the chain leads from a root to `signatureKey`, which is
   * of `suite`. The subject is what the chain's first certificate says, for the application.
   * @throws CredentialError with any of its codes
   */
  validate(
    credential: X509Credential,
    suite: CipherSuite,
    signatureKey: Bytes,
    by: Judge,
  ): Promise<CertifiedSubject>
}

/** Certificates of authorities whose signature is not verified again. */
const maxRemembered = 64

/** In milliseconds: certificates are judged by clocks as KeyPackages are. */
const margin = 1000 * Number(marginWhenSending)
const tolerance = 1000 * Number(toleranceWhenReceiving)

/** @throws CredentialError `credential-malformed` for a root that cannot be read */
export function x509Validator(trust: X509Trust): X509Validator {
  const roots = trust.roots.map(readCertificate)
  const isIssuedBy = rememberingIssuers(trust)
  const lists = new VerifiedLists(trust)
  const reader = new ChainReader()
  return {
    validate: async ({ certificates }, suite, signatureKey, by) => {
      const chain = reader.read(certificates.map(({ certData }) => certData))
      const [leaf] = chain
      if (!encodesKey(leaf.publicKey, suite.signature, signatureKey)) {
        throw refused('credential-key-mismatch', 'the certificate is for another key')
      }
      const path = await anchored(chain, roots, isIssuedBy)
      for (const certificate of path) checkExtensions(certificate)
      checkUsage(leaf, KeyUsageFlags.digitalSignature)
      // From the root down: no authority's word counts before its own has been confirmed.
      for (let i = path.length - 1; i > 0; i--) {
        const [subject, issuer] = [path[i - 1] as Certificate, path[i] as Certificate]
        checkAuthority(issuer, path.slice(1, i))
        const known = i === path.length - 1
        if (!known && !(await isIssuedBy(subject, issuer))) throw badSignature()
      }
      for (const certificate of path) checkTime(certificate, trust.clock.now(), by)
      for (let i = path.length - 1; i > 0; i--) {
        await lists.check(path[i - 1] as Certificate, path[i] as Certificate)
      }
      return subjectOf(leaf)
    },
  }
}

type IsIssuedBy = (subject: Certificate, issuer: Certificate) => Promise<boolean>

/**
 * Verifies signatures on certificates, those on an authority's once: a joiner meets the same few
 * authorities above every leaf.
 */
function rememberingIssuers(trust: X509Trust): IsIssuedBy {
  const known = new Map<string, Promise<boolean>>()
  return (subject, issuer) => {
    if (subject.authority === undefined) return isSignedBy(trust, subject, issuer.publicKey)
    const link = `${toHex(subject.encoded)} ${toHex(issuer.publicKey)}`
    const remembered = known.get(link)
    if (remembered !== undefined) return remembered
    // Whoever brings ever new authorities only makes us verify the old ones again.
    if (known.size >= maxRemembered) known.clear()
    const answer = isSignedBy(trust, subject, issuer.publicKey)
    known.set(link, answer)
    return answer
  }
}

/**
 * The chain, each issued by the next one as far as names go, up to the root that has signed it. What
 * stands in the chain above a root, and the root itself, nobody needs.
 */
async function anchored(
  chain: readonly Certificate[],
  roots: readonly Certificate[],
  isIssuedBy: IsIssuedBy,
): Promise<readonly Certificate[]> {
  chain.forEach((certificate, i) => {
    const issuer = chain[i + 1]
    if (issuer !== undefined && !equalBytes(certificate.issuer, issuer.subject)) {
      throw refused('credential-chain-broken', 'a certificate was not issued by the next one')
    }
  })
  const firstRoot = chain.findIndex(
    ({ encoded }, i) => i > 0 && roots.some((root) => equalBytes(root.encoded, encoded)),
  )
  const below = firstRoot === -1 ? chain : chain.slice(0, firstRoot)
  const last = below.at(-1) as Certificate
  const named = roots.filter(({ subject }) => equalBytes(subject, last.issuer))
  if (named.length === 0) throw refused('credential-root-unknown', 'no root has issued the chain')
  for (const root of named) {
    if (await isIssuedBy(last, root)) return [...below, root]
  }
  throw badSignature()
}

const understood: readonly string[] = [id_ce_keyUsage, id_ce_subjectAltName, id_ce_basicConstraints]

/** RFC 5280 §4.2. Name constraints are refused even where somebody forgot to call them critical. */
function checkExtensions({ extensions }: Certificate): void {
  for (const [oid, { critical }] of extensions) {
    if ((critical && !understood.includes(oid)) || oid === id_ce_nameConstraints) {
      throw refused(
        'credential-extension-unsupported',
        'a certificate extension that is not understood',
      )
    }
  }
}

/** RFC 5280 §6.1.4 (k) to (n); `below` are the authorities between this one and the leaf. */
function checkAuthority(issuer: Certificate, below: readonly Certificate[]): void {
  const { authority } = issuer
  if (authority === undefined) {
    throw refused('credential-not-authority', 'issued by a certificate that may not issue any')
  }
  const counted = below.filter(({ subject, issuer }) => !equalBytes(subject, issuer))
  if (counted.length > authority.pathLength) {
    throw refused('credential-path-too-long', 'more authorities than a certificate allows below it')
  }
  checkUsage(issuer, KeyUsageFlags.keyCertSign)
}

function checkUsage(certificate: Certificate, usage: number): void {
  if (!mayBeUsedFor(certificate, usage)) {
    throw refused(
      'credential-key-usage-wrong',
      'a certificate is not meant for what it is used for',
    )
  }
}

function checkTime({ notBefore, notAfter }: Certificate, now: number, by: Judge): void {
  if (by === 'joiner') return
  const [early, late] = by === 'sender' ? [now, now + margin] : [now + tolerance, now - tolerance]
  if (early < notBefore) {
    throw refused('credential-not-yet-valid', 'a certificate is not valid yet')
  }
  if (late > notAfter) {
    throw refused('credential-expired', 'a certificate is not valid any more')
  }
}

/** Revocation lists, each verified once for a key that it should be signed by. */
class VerifiedLists {
  readonly #trust: X509Trust
  readonly #verified = new WeakMap<RevocationList, Map<string, Promise<boolean>>>()

  constructor(trust: X509Trust) {
    this.#trust = trust
  }

  /** @throws CredentialError `credential-revo…` */
  async check({ serialNumber, issuer: name }: Certificate, issuer: Certificate): Promise<void> {
    const { revocation, clock } = this.#trust
    if (revocation === undefined) return
    const named = revocation.lists().filter((list) => equalBytes(list.issuer, name))
    const lists: RevocationList[] = []
    for (const list of named) if (await this.#isGenuine(list, issuer)) lists.push(list)
    if (lists.some(({ revoked }) => revoked.has(serialNumber))) {
      throw refused('credential-revoked', 'a certificate has been revoked')
    }
    if (lists.length === 0 && named.length > 0) {
      throw refused('credential-revocation-list-invalid', 'the issuer did not sign its list')
    }
    if (!revocation.failClosed) return
    if (lists.length === 0) {
      throw refused('credential-revocation-unknown', 'no revocation list of the issuer is at hand')
    }
    const now = clock.now()
    const isCurrent = ({ thisUpdate, nextUpdate }: RevocationList) =>
      thisUpdate <= now + tolerance && now <= nextUpdate + tolerance
    if (!lists.some(isCurrent)) {
      throw refused('credential-revocation-list-stale', "the issuer's next list is due")
    }
  }

  #isGenuine(list: RevocationList, issuer: Certificate): Promise<boolean> {
    const byKey = this.#verified.get(list) ?? new Map<string, Promise<boolean>>()
    this.#verified.set(list, byKey)
    const key = toHex(issuer.publicKey)
    const known =
      byKey.get(key) ??
      (mayBeUsedFor(issuer, KeyUsageFlags.cRLSign)
        ? isSignedBy(this.#trust, list, issuer.publicKey)
        : Promise.resolve(false))
    byKey.set(key, known)
    return known
  }
}

function refused(code: CredentialErrorCode, message: string): CredentialError {
  return new CredentialError(code, message)
}

function badSignature(): CredentialError {
  return refused('credential-signature-invalid', 'a certificate was not signed by its issuer')
}
