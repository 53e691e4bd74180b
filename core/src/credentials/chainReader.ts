import { type Bytes, toHex } from '../codec/bytes.ts'
import { type Certificate, readCertificate } from './certificate.ts'
import { CredentialError } from './credentialError.ts'

/** Roots included. Chains of four are long. */
const maxChainLength = 8
const maxChainBytes = 32_768
/** Certificates of authorities that are not read again. */
const maxRemembered = 64

/**
 * Reads chains, the leaf's certificate first. Reading one takes longer than verifying a signature, so
 * that those of the few authorities that stand above all leaves are read once.
 */
export class ChainReader {
  readonly #authorities = new Map<string, Certificate>()

  /** @throws CredentialError `credential-malformed`, `credential-too-large` */
  read([leaf, ...authorities]: readonly Bytes[]): readonly [Certificate, ...Certificate[]] {
    if (leaf === undefined) {
      throw new CredentialError('credential-malformed', 'a chain without certificates')
    }
    const bytes = authorities.reduce((sum, { length }) => sum + length, leaf.length)
    if (bytes > maxChainBytes || authorities.length >= maxChainLength) {
      throw new CredentialError(
        'credential-too-large',
        'more certificates or bytes than anyone takes in',
      )
    }
    return [readCertificate(leaf), ...authorities.map((encoded) => this.#authority(encoded))]
  }

  #authority(encoded: Bytes): Certificate {
    const hex = toHex(encoded)
    const known = this.#authorities.get(hex)
    if (known !== undefined) return known
    const certificate = readCertificate(encoded)
    // Whoever brings ever new authorities only makes us read the old ones again.
    if (this.#authorities.size >= maxRemembered) this.#authorities.clear()
    this.#authorities.set(hex, certificate)
    return certificate
  }
}
