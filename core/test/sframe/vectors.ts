import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

export interface HeaderVector {
  readonly kid: string
  readonly ctr: string
  readonly encoded: string
}

export interface AesCtrHmacVector {
  readonly cipher_suite: number
  readonly key: string
  readonly nonce: string
  readonly aad: string
  readonly pt: string
  readonly ct: string
}

export interface SFrameVector {
  readonly cipher_suite: number
  readonly kid: string
  readonly ctr: string
  readonly base_key: string
  readonly sframe_secret: string
  readonly sframe_key: string
  readonly sframe_salt: string
  readonly metadata: string
  readonly pt: string
  readonly ct: string
}

export interface Rfc9605Vectors {
  readonly header: readonly HeaderVector[]
  readonly aes_ctr_hmac: readonly AesCtrHmacVector[]
  readonly sframe: readonly SFrameVector[]
}

/** RFC 9605's vectors, from the folder CONCLAVE_VECTORS or ../shared/vectors beside the checkout. */
export function readRfc9605Vectors(): Rfc9605Vectors {
  const configured = process.env['CONCLAVE_VECTORS']
  const folder = configured
    ? pathToFileURL(`${configured}/`)
    : new URL('../../../../shared/vectors/', import.meta.url)
  const json = readFileSync(new URL('sframe/rfc9605.json', folder), 'utf8')
  // KIDs and counters go up to 2^64 - 1, which a JavaScript number cannot hold.
  return JSON.parse(json.replace(/"(kid|ctr)": (\d+)/g, '"$1": "$2"'))
}
