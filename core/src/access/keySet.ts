import type { Clock } from '../runtime.ts'
import { AccessError } from './accessError.ts'
import type { VerifyingKey } from './accessKey.ts'
import { type JsonWebKey, PublicAccessKey } from './asymmetricKey.ts'
import { isLoopbackHost } from './loopback.ts'

/** A JSON Web Key Set (RFC 7517 §5). */
export interface JsonWebKeySet {
  readonly keys: readonly JsonWebKey[]
}

/** As much of the platform's `fetch` as is used. */
export type FetchKeys = (
  url: string,
  options: { readonly signal: AbortSignal; readonly redirect: 'error' },
) => Promise<{ readonly ok: boolean; readonly status: number; json(): Promise<unknown> }>

/** After this a key set is fetched anew when it is next needed, in milliseconds. */
const freshMs = 10 * 60_000
/** For so long it is used on when it cannot be fetched, in milliseconds. */
const staleMs = 60 * 60_000
/** A fetch, whatever came of it, is followed by none for so long, in milliseconds. */
const pauseMs = 30_000
const timeoutMs = 5_000

/**
 * The public keys of a key set. Members that are not for signing tokens are left out (RFC 7517 §5).
 * @throws AccessError `access-key-invalid` where none is left
 */
export async function importKeySet(set: unknown): Promise<readonly PublicAccessKey[]> {
  const keys: PublicAccessKey[] = []
  for (const member of membersOf(set)) {
    try {
      keys.push(await PublicAccessKey.import(member))
    } catch (error) {
      if (!(error instanceof AccessError)) throw error
    }
  }
  if (keys.length === 0) {
    throw new AccessError('access-key-invalid', 'the JWKS has no key that tokens can be under', {
      remedy: 'give { "keys": [...] } with public keys for Ed25519, P-256 or RSA',
    })
  }
  return keys
}

function membersOf(set: unknown): readonly JsonWebKey[] {
  if (!isObject(set) || !Array.isArray(set['keys'])) return []
  return set['keys'].filter(isObject)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/**
 * A key set that the app's backend serves, so that it can change its keys. One that is new in it is
 * fetched when the first token names it. One that is there no more is refused within ten minutes,
 * or within an hour where the set cannot be fetched. Neither tokens under made-up keys nor failures
 * bring more than two fetches a minute.
 */
export class RemoteKeySet {
  readonly #url: string
  readonly #fetch: FetchKeys
  readonly #clock: Clock
  #keys: readonly PublicAccessKey[] = []
  #fetchedAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #trying: Promise<void> | undefined
  #failure: unknown

  /** @throws AccessError `url-invalid` or `insecure-url` */
  constructor(options: { readonly url: string; readonly fetch: FetchKeys; readonly clock: Clock }) {
    this.#url = keySetUrl(options.url)
    this.#fetch = options.fetch
    this.#clock = options.clock
  }

  /**
   * The keys that a token which names `id` may be under.
   * @throws AccessError `access-keys-unavailable`
   */
  async keysFor(id: string | undefined): Promise<readonly VerifyingKey[]> {
    const known = keysNamed(this.#keys, id)
    if (known.length === 0 || this.#clock.now() >= this.#fetchedAt + freshMs) await this.#refresh()
    if (this.#clock.now() >= this.#fetchedAt + staleMs) {
      throw new AccessError('access-keys-unavailable', 'the JWKS cannot be fetched', {
        cause: this.#failure,
        remedy: `see that ${this.#url} answers with a JWKS`,
      })
    }
    return keysNamed(this.#keys, id)
  }

  async #refresh(): Promise<void> {
    if (this.#trying === undefined) {
      if (this.#clock.now() < this.#triedAt + pauseMs) return
      this.#triedAt = this.#clock.now()
      this.#trying = this.#load().finally(() => {
        this.#trying = undefined
      })
    }
    await this.#trying
  }

  async #load(): Promise<void> {
    const timeout = new AbortController()
    const cancel = this.#clock.setTimer(timeoutMs, () => timeout.abort())
    try {
      const response = await this.#fetch(this.#url, { signal: timeout.signal, redirect: 'error' })
      if (!response.ok) throw new Error(`status ${response.status}`)
      this.#keys = await importKeySet(await response.json())
      this.#fetchedAt = this.#clock.now()
    } catch (error) {
      this.#failure = error
    } finally {
      cancel()
    }
  }
}

/** Those of `keys` that a token which names `id`, or none, may be under. */
export function keysNamed<K extends VerifyingKey>(
  keys: readonly K[],
  id: string | undefined,
): readonly K[] {
  return id === undefined ? keys : keys.filter((key) => key.id === undefined || key.id === id)
}

function keySetUrl(url: string): string {
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '') {
    throw new AccessError('url-invalid', 'the JWKS has no valid URL', {
      remedy: 'give it as https://host/path',
    })
  }
  if (parsed.protocol === 'http:' && !isLoopbackHost(parsed.hostname)) {
    throw new AccessError(
      'insecure-url',
      `whoever is on the way to "${url}" could change its keys`,
      {
        remedy: 'serve the JWKS over https:; http: is for this machine alone',
      },
    )
  }
  return parsed.href
}
