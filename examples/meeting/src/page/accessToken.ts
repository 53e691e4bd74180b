import { PageError } from './pageError.ts'

/**
 * A token for this user and meeting, as the servers ask for one whenever the page connects: the one
 * that the app's backend has put into the page's address, else a development token.
 */
export async function accessToken(
  given: string | undefined,
  request: { readonly identity: string; readonly meeting: string },
): Promise<string> {
  return given ?? (await developmentToken(request))
}

async function developmentToken(request: {
  readonly identity: string
  readonly meeting: string
}): Promise<string> {
  let response: Response
  try {
    response = await fetch('/dev/token', { method: 'POST', body: JSON.stringify(request) })
  } catch (cause) {
    throw new PageError('token-unavailable', 'the server cannot be reached', {
      cause,
      remedy: 'Check that it is still running, then try again.',
    })
  }
  if (!response.ok) {
    throw new PageError('token-required', 'this server mints no access tokens', {
      remedy: 'Open the link that your app gave you: it ends in #token=…',
    })
  }
  const answer: unknown = await response.json()
  const token = typeof answer === 'object' && answer !== null && 'token' in answer && answer.token
  if (typeof token !== 'string') {
    throw new PageError('token-unavailable', 'the server gave no access token')
  }
  return token
}
