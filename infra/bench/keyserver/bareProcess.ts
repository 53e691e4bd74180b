import { createServer } from 'node:http'
import { deliveryNamespace } from '@conclave/core/delivery'
import { createClient } from 'redis'
import { Server } from 'socket.io'
import type { SignedBytes } from '../../../core/src/crypto/public/index.ts'
import { listen } from '../../../keyserver/src/edge/httpListener.ts'
import { answerParent, cpuTime, machineTime } from '../../servers/child.ts'
import * as primitives from '../primitives.ts'
import { type Checks, type CommitKind, checksOf } from './checks.ts'

export interface BareProcess {
  readonly redisUrl: string | undefined
}

export type BareQuestions = typeof questions

/** What a commit's upload has, however it is checked. */
interface Upload {
  readonly groupId: Uint8Array
  readonly message: Uint8Array
  readonly welcome: Uint8Array | null
  readonly groupInfo: Uint8Array
}

/*
 * The floor: a socket.io server that does what cannot be left out and nothing else. It looks at no
 * message; it verifies as many signatures, over as many bytes, as a commit of that kind has, appends
 * by one script, and broadcasts.
 */
const { redisUrl }: BareProcess = JSON.parse(process.argv[2] ?? '')
const client = redisUrl === undefined ? undefined : await createClient({ url: redisUrl }).connect()
const append = await client?.scriptLoad(`
  if tonumber(redis.call('GET', KEYS[1]) or 0) > tonumber(ARGV[1]) then return 0 end
  redis.call('XADD', KEYS[2], '*', 'message', ARGV[2], 'groupInfo', ARGV[3], 'welcome', ARGV[4])
  redis.call('SET', KEYS[1], ARGV[1])
  return 1`)

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
let seq = 0

async function store({ groupId, message, groupInfo, welcome }: Upload): Promise<void> {
  if (client === undefined || append === undefined) return
  const group = asBuffer(groupId).toString('hex')
  const uploads = [message, groupInfo, welcome ?? new Uint8Array(0)].map(asBuffer)
  await client.sendCommand([
    'EVALSHA',
    append,
    '2',
    `bare:{${group}}:epoch`,
    `bare:{${group}}:log`,
    String(seq),
    ...uploads,
  ])
}

const checks = new Map<CommitKind, Checks>()
const valid = (key: ReturnType<typeof primitives.verificationKey>, signed: SignedBytes) =>
  primitives.verify(key, signed.message, signed.signature)

function verify(kind: CommitKind, upload: Upload): boolean {
  const known = checks.get(kind) ?? checksOf(kind, upload.message.length, upload.groupInfo.length)
  checks.set(kind, known)
  const { memberKey, byMember, byStrangers } = known
  return byMember.every((signed) => valid(memberKey, signed)) && primitives.verifyAll(byStrangers)
}

const httpServer = createServer()
const io = new Server(httpServer, { transports: ['websocket'], serveClient: false })
const clients = io.of(deliveryNamespace)
clients.on('connection', (socket) => {
  void socket.join('all')
  socket.on('commit', async (kind: CommitKind, upload: Upload, acknowledge) => {
    if (!verify(kind, upload)) throw new TypeError('a signature is wrong')
    seq += 1
    await store(upload)
    acknowledge({ ok: true, seq, durable: true })
  })
  socket.on('broadcast', ({ groupId, message }: Upload, acknowledge) => {
    seq += 1
    const at = machineTime()
    clients.to('all').emit('entry', { groupId, entry: { seq, message } })
    acknowledge({ ok: true, seq, at })
  })
  // As many bytes as the keyserver gave back.
  socket.on('ask', (_request: unknown, reply: number, acknowledge) => {
    acknowledge({ ok: true, reply: Buffer.alloc(reply) })
  })
})

const port = await listen(httpServer, { host: '127.0.0.1', port: 0 })
const questions = {
  port: () => port,
  cpuTime,
  /** Closes every connection; when that was. */
  cut: () => {
    const at = machineTime()
    for (const { conn } of clients.sockets.values()) conn.request.socket.destroy()
    return at
  },
}
answerParent(questions)
