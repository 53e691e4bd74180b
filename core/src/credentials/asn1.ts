import { AsnConvert } from '@peculiar/asn1-schema'
import { type Bytes, equalBytes, plainBytes } from '../codec/bytes.ts'
import { CredentialError } from './credentialError.ts'

/** Elements within elements; a certificate has about ten. */
const maxDepth = 16

export function malformed(what: string, cause?: unknown): CredentialError {
  return new CredentialError('credential-malformed', what, { cause })
}

/**
 * Reads what has a syntax that the library knows, in time proportional to its length.
 *
 * Not to be relied on before `checkDer`: the library reads BER, passes over what the syntax does not
 * name, and does not say so.
 * @throws CredentialError `credential-malformed`
 */
export function parse<T>(type: new () => T, encoded: Uint8Array, maxElements: number): T {
  // An octet string's content is read when it is asked for, and nobody's guess before.
  const berOptions = { maxDepth, maxNodes: maxElements, parseEmbedded: false }
  try {
    return AsnConvert.parse(plainBytes(encoded), type, { berOptions })
  } catch (cause) {
    throw malformed('not the encoding of what it should be', cause)
  }
}

/**
 * Whether `value` says all that was read, in the one form that DER has for it (X.690 §10): written
 * anew it has to be the same bytes. What is left out, ignored or put right in reading shows here,
 * so that no certificate means one thing to us and another elsewhere.
 * @throws CredentialError `credential-malformed`
 */
export function checkDer(value: object, encoded: Uint8Array): void {
  if (!equalBytes(derOf(value), encoded)) throw malformed('not in the one form that DER has')
}

/**
 * Reads what has a syntax that the library knows, in DER.
 * @throws CredentialError `credential-malformed`
 */
export function readDer<T extends object>(
  type: new () => T,
  encoded: Uint8Array,
  maxElements: number,
): T {
  const value = parse(type, encoded, maxElements)
  checkDer(value, encoded)
  return value
}

/**
 * What was checked stands in these bytes in its encoding, too.
 * @throws CredentialError `credential-malformed` for what the library has read and cannot write
 */
export function derOf(value: object): Bytes {
  try {
    return new Uint8Array(AsnConvert.serialize(value))
  } catch (cause) {
    throw malformed('what has no encoding', cause)
  }
}
