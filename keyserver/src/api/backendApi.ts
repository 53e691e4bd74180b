import {
  type AccessClaims,
  ANY_MEETING,
  requireGrant,
  requireMeeting,
  type TokenRequest,
  type TokenVerifier,
} from '@conclave/core/access'
import { toHex } from '@conclave/core/codec'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Logger } from 'pino'
import type { Administration, MeetingView } from '../administration.ts'
import type { DirectoryStore } from '../directory/directory.ts'
import type { DeadLetters } from '../jobs/jobs.ts'
import type { KeyserverMetrics } from '../metrics/keyserverMetrics.ts'
import { ApiError, errorAnswer, unexpected } from './apiError.ts'
import {
  listQuery,
  logQuery,
  maxBodyBytes,
  parsed,
  parsedBody,
  removalBody,
  tokenBody,
} from './requests.ts'

export interface BackendApiOptions {
  readonly administration: Administration
  readonly directory: Pick<DirectoryStore, 'forget'>
  readonly deadLetters: DeadLetters
  readonly metrics: Pick<KeyserverMetrics, 'contentType' | 'render'>
  readonly verifier: TokenVerifier
  /** Undefined where the server only checks tokens. */
  readonly mint: ((request: TokenRequest) => Promise<string>) | undefined
  /** Whether one more request may come from there. */
  readonly admit: (remoteAddress: string, forwardedFor: string | undefined) => boolean
  /** What the API's paths begin with, before `/v1`. */
  readonly basePath: string
  readonly logger: Logger
}

/** Dead letters in one answer. */
const maxDeadLetters = 100

interface Env {
  Bindings: HttpBindings
  Variables: { claims: AccessClaims }
}

/**
 * What the app's backend may ask and do, under `basePath` + `/v1`: JSON over HTTP, with an access
 * token as bearer that grants `manage`. A token for one meeting reaches that meeting alone; what
 * concerns more needs a token for `*`.
 *
 * Every error is `{ code, message, remedy? }`.
 */
export function createBackendApi(options: BackendApiOptions): Hono<Env> {
  const { administration, directory, deadLetters, metrics, logger } = options
  const app = new Hono<Env>().basePath(`${options.basePath}/v1`)

  app.use(async ({ req, env, header }, next) => {
    header('cache-control', 'no-store')
    const { remoteAddress = '' } = env.incoming.socket
    if (!options.admit(remoteAddress, req.header('x-forwarded-for'))) {
      throw new ApiError('rate-limited', 'too many requests from this address')
    }
    await next()
  })
  app.use(async (context, next) => {
    const [, token] = /^Bearer +([^ ]+)$/i.exec(context.req.header('authorization') ?? '') ?? []
    const claims = await options.verifier.verify(token)
    requireGrant(claims, 'manage')
    context.set('claims', claims)
    await next()
  })
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () => {
        throw new ApiError('payload-too-large', `a body has at most ${maxBodyBytes} bytes`)
      },
    }),
  )
  app.use('/meetings/:id/*', async ({ req, var: { claims } }, next) => {
    requireMeeting(claims, req.param('id'))
    await next()
  })

  app.get('/meetings', async ({ req, json, var: { claims } }) => {
    requireMeeting(claims, ANY_MEETING)
    const { cursor = null, limit } = parsed(listQuery, req.query())
    return json(await administration.listMeetings(cursor, limit))
  })
  app.get('/meetings/:id', async ({ req, json }) => {
    const meeting = await administration.meeting(req.param('id'))
    if (meeting === undefined) throw meetingUnknown()
    return json(shown(meeting))
  })
  app.delete('/meetings/:id', async ({ req, body, var: { claims } }) => {
    const meeting = req.param('id')
    if (!(await administration.end(meeting))) throw meetingUnknown()
    logger.info({ meeting, by: claims.identity }, 'a meeting was ended through the API')
    return body(null, 204)
  })
  app.get('/meetings/:id/log', async ({ req, json }) => {
    const { after } = parsed(logQuery, req.query())
    const log = await administration.log(req.param('id'), after)
    if (log === undefined) {
      if ((await administration.meeting(req.param('id'))) === undefined) throw meetingUnknown()
      throw new ApiError('seq-out-of-range', 'the log has been trimmed up to a later entry')
    }
    return json(log)
  })
  app.post('/meetings/:id/removals', async ({ req, json, var: { claims } }) => {
    const meeting = req.param('id')
    const who = await parsedBody(removalBody, req)
    const leaves = await administration.remove(meeting, who)
    if (leaves === undefined) throw meetingUnknown()
    if (leaves.length === 0) throw new ApiError('member-unknown', 'the meeting has no such member')
    logger.info({ meeting, leaves, by: claims.identity }, 'a removal was asked for by the API')
    return json({ leaves }, 202)
  })

  app.post('/tokens', async ({ req, json, var: { claims } }) => {
    const request = await parsedBody(tokenBody, req)
    requireMeeting(claims, request.meeting)
    if (options.mint === undefined) {
      throw new ApiError(
        'token-issuing-unavailable',
        'the keyserver checks tokens with public keys and cannot issue any',
        { remedy: 'mint tokens where their private key is' },
      )
    }
    return json({ token: await options.mint(request) }, 201)
  })
  app.delete('/directory/:identity', async ({ req, body, var: { claims } }) => {
    requireMeeting(claims, ANY_MEETING)
    await directory.forget(req.param('identity'))
    return body(null, 204)
  })
  app.get('/dead-letters', async ({ json, var: { claims } }) => {
    requireMeeting(claims, ANY_MEETING)
    return json({ deadLetters: await deadLetters.list(maxDeadLetters) })
  })
  app.post('/dead-letters/:id/retry', async ({ req, body, var: { claims } }) => {
    requireMeeting(claims, ANY_MEETING)
    if (!(await deadLetters.retry(req.param('id')))) {
      throw new ApiError('dead-letter-unknown', 'there is no such dead letter')
    }
    return body(null, 202)
  })
  app.get('/metrics', async ({ body, var: { claims } }) => {
    requireMeeting(claims, ANY_MEETING)
    return body(await metrics.render(), 200, { 'content-type': metrics.contentType })
  })

  app.notFound(() => {
    throw new ApiError('not-found', 'the API has nothing there')
  })
  app.onError((error, { req, json }) => {
    const known = errorAnswer(error)
    if (known === undefined)
      logger.error({ err: error, path: req.routePath }, 'an API request failed')
    const { status, body } = known ?? unexpected
    return json(body, status, { 'cache-control': 'no-store' })
  })
  return app
}

function meetingUnknown(): ApiError {
  return new ApiError('meeting-unknown', 'the meeting has no group')
}

function shown(meeting: MeetingView): object {
  return {
    ...meeting,
    groupId: toHex(meeting.groupId),
    roster: meeting.roster.map((member) => ({ ...member, deviceKey: toHex(member.deviceKey) })),
  }
}
