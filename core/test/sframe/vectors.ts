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

/** Parses RFC 9605's vectors: KIDs and counters go up to 2^64 - 1, beyond a JavaScript number. */
export function parseRfc9605Vectors(json: string): Rfc9605Vectors {
  return JSON.parse(json.replace(/"(kid|ctr)": (\d+)/g, '"$1": "$2"'))
}
