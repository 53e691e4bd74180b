import { HmacAccessKey, mintToken, parseServerUrl, type TokenRequest } from '@conclave/core/access'
import type { Arguments } from './arguments.ts'
import { ConformanceError } from './conformanceError.ts'

type Tokens = (request: TokenRequest, at?: number) => Promise<string>

/** Where the connections' tokens come from. */
export function tokensFor({ access, urls }: Pick<Arguments, 'access' | 'urls'>): Tokens {
  switch (access.kind) {
    case 'development':
      return (request) => askForToken(urls[0] ?? '', request)
    case 'token':
      return async () => access.token
    case 'secret': {
      const key = new HmacAccessKey(access.secret)
      return (request, at = Date.now()) =>
        mintToken(request, key, { now: () => at, setTimer: noTimer })
    }
  }
}

/** @throws ConformanceError `conformance-token-refused` */
async function askForToken(url: string, { identity, meeting }: TokenRequest): Promise<string> {
  const { origin } = parseServerUrl(url)
  const remedy = 'give --token-secret-env or --token for a keyserver that is not in development'
  const refused = (why: string, cause?: unknown) =>
    new ConformanceError('conformance-token-refused', `POST /dev/token at ${origin}: ${why}`, {
      remedy,
      cause,
    })
  let response: Response
  try {
    response = await fetch(`${origin}/dev/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identity, meeting }),
    })
  } catch (cause) {
    throw refused('it cannot be reached', cause)
  }
  if (!response.ok) throw refused(`status ${response.status}`)
  const body: unknown = await response.json()
  const token = typeof body === 'object' && body !== null && 'token' in body ? body.token : ''
  if (typeof token !== 'string' || token === '') throw refused('it answered without a token')
  return token
}

function noTimer(): never {
  throw new Error('minting takes no time')
}
