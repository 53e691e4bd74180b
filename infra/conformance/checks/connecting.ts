import { utf8 } from '@conclave/core/codec'
import { protocolMinor, protocolVersion } from '@conclave/core/delivery'
import { meetingRequests, wellFormed } from '../../../keyserver/test/support/requests.ts'
import { type Check, has, holds, NotConforming, same } from '../check.ts'
import type { Site } from '../site.ts'

type Auth = Record<string, unknown>

async function refusedWith(code: string, site: Site, auth: Auth): Promise<void> {
  const outcome = await site.connectWith(auth).then(
    () => 'connected',
    (error: { data?: { code?: unknown } }) => error.data?.code ?? String(error),
  )
  same('connecting', outcome, code)
}

/** The same token with another signature. */
function resigned(token: string): string {
  const at = token.lastIndexOf('.') + 1
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

export const connecting: readonly Check[] = [
  {
    id: 'token.missing',
    promise: 'a connection without a token is refused',
    section: 'Connection',
    run: async (site) => {
      await refusedWith('token-missing', site, {})
      await refusedWith('token-missing', site, { token: '' })
    },
  },
  {
    id: 'token.malformed',
    promise: 'a connection with something else than a token is refused',
    section: 'Connection',
    run: async (site) => {
      await refusedWith('token-malformed', site, { token: 'not a token' })
      await refusedWith('token-malformed', site, { token: { a: 1 } })
    },
  },
  {
    id: 'token.signature',
    promise: 'a token with another signature is refused',
    section: 'Connection',
    run: async (site) => {
      await refusedWith('token-signature', site, { token: resigned(await site.token('alice')) })
    },
  },
  {
    id: 'token.expired',
    promise: 'an expired token is refused',
    section: 'Connection',
    needs: 'secret',
    run: async (site) => {
      const { meetingId: meeting, clock } = site
      const hourAgo = clock.now() - 3_600_000
      const request = { identity: 'alice', meeting, ttlSeconds: 60 }
      await refusedWith('token-expired', site, { token: await site.target.token(request, hourAgo) })
    },
  },
  {
    id: 'token.grant',
    promise: 'a token that does not grant to join is refused',
    section: 'Connection',
    needs: 'secret',
    run: async (site) => {
      const { meetingId: meeting } = site
      const token = await site.target.token({
        identity: 'alice',
        meeting,
        grants: { publish: true },
      })
      await refusedWith('token-grant-missing', site, { token })
    },
  },
  {
    id: 'token.meeting',
    promise: 'a token for one meeting enters no other',
    section: 'Connection',
    needs: 'people',
    run: async (site) => {
      const client = await site.connect(site.identity('alice'))
      const elsewhere = await client.enter(site.newMeeting())
      has('entering another meeting', elsewhere, { ok: false, code: 'not-permitted' })
      has('entering the own one', await client.enter(site.meetingId), { ok: true, group: null })
    },
  },
  {
    id: 'enter.first',
    promise: 'a request for a meeting comes after "enter"',
    section: 'Requests',
    run: async (site) => {
      const client = await site.connect(site.identity('alice'))
      for (const name of meetingRequests) {
        has(name, await client.send(name, wellFormed[name]), { ok: false, code: 'not-entered' })
      }
    },
  },
  {
    id: 'enter.once',
    promise: 'a connection is in one meeting, and enters it once',
    section: 'Requests',
    run: async (site) => {
      const client = await site.connect(site.identity('alice'), '*')
      const both = [client.enter(site.meetingId), client.enter(site.meetingId)] as const
      const [first, second] = await Promise.all(both)
      has('the first', first, { ok: true })
      has('the second', second, { ok: false, code: 'already-entered' })
      const other = await client.enter(site.newMeeting())
      has('another meeting', other, { ok: false, code: 'already-entered' })
    },
  },
  {
    id: 'enter.version',
    promise: 'a major version that the keyserver does not speak is refused',
    section: 'Versions',
    run: async (site) => {
      const client = await site.connect(site.identity('alice'))
      for (const protocol of [0, protocolVersion + 1, 99]) {
        const reply = await client.send('enter', { protocol, meetingId: site.meetingId })
        has(`protocol ${protocol}`, reply, { ok: false, code: 'protocol-unsupported' })
      }
      has(`protocol ${protocolVersion}`, await client.enter(site.meetingId), { ok: true })
    },
  },
  {
    id: 'enter.minor-0',
    promise: 'a client of minor version 0, which names none, is served as before',
    section: 'Versions',
    run: async (site) => {
      const alice = await site.arrive('alice')
      const client = await site.connect(site.identity('alice'))
      const { meetingId } = site
      const reply = await client.request('enter', { protocol: protocolVersion, meetingId })
      has('entering', reply, { ok: true, group: null })
      if (!reply.ok) return
      alice.client.disconnect()
      alice.client = client
      alice.entered = reply
      has('creating', await client.request('create', await alice.prepareFounding()), { ok: true })
      await alice.take()
      same('the commit that follows', await alice.commit(), 1)
    },
  },
  {
    id: 'enter.minor',
    promise: 'the keyserver names its minor version, also to a client of a later one',
    section: 'Versions',
    run: async (site) => {
      for (const minor of [protocolMinor, protocolMinor + 98]) {
        const client = await site.connect(site.identity('alice'))
        const { meetingId } = site
        const reply = await client.request('enter', { protocol: protocolVersion, minor, meetingId })
        has('entering', reply, { ok: true })
        const named = reply.ok ? reply.minor : undefined
        holds('minor', named !== undefined && named >= 1, 'at least 1', named)
      }
    },
  },
  {
    id: 'enter.nonce',
    promise: 'every connection gets a nonce of its own',
    section: 'Requests',
    run: async (site) => {
      const nonces = new Set<string>()
      for (let connection = 0; connection < 4; connection++) {
        const entered = await (await site.connect(site.identity('alice'))).enter(site.meetingId)
        if (!entered.ok) throw new NotConforming('entering', 'ok', entered)
        holds('nonce', entered.nonce.length >= 16, '16 bytes', entered.nonce)
        nonces.add(Buffer.from(entered.nonce).toString('hex'))
      }
      same('different nonces', nonces.size, 4)
    },
  },
  {
    id: 'enter.pipelined',
    promise: 'requests may follow "enter" without waiting for its reply',
    section: 'Requests',
    run: async (site) => {
      const founding = await (await site.arrive('alice')).prepareFounding()
      const client = await site.connect(site.identity('alice'))
      const [, created] = await Promise.all([
        client.enter(site.meetingId),
        client.request('create', founding),
      ])
      has('the "create" that follows', created, { ok: true, seq: 0 })
    },
  },
  {
    id: 'enter.name',
    promise: 'a meeting’s name has 1 to 256 bytes of UTF-8',
    section: 'Refusals',
    run: async (site) => {
      const client = await site.connect(site.identity('alice'), '*')
      for (const meetingId of ['', 'é'.repeat(129)]) {
        const reply = await client.send('enter', { protocol: protocolVersion, meetingId })
        has(`${utf8(meetingId).length} bytes`, reply, { ok: false, code: 'request-malformed' })
      }
      const longest = `${site.meetingId}${'é'.repeat(104)}`.slice(0, 152)
      has('a long one', await client.enter(longest), { ok: true })
    },
  },
]
