import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { Clock } from '@conclave/core'
import { type Mint, resolveAccess } from '@conclave/core/access'
import { createSfu, type Sfu } from '@conclave/sfu'
import pino from 'pino'

const clock: Clock = {
  now: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

export interface RunningSfu {
  readonly sfu: Sfu
  /** Makes tokens that it accepts. */
  readonly mint: Mint
}

/** Where on its server clients find a running SFU. */
export const sfuPath = '/sfu'

/** A real SFU, on this machine only, with one worker. */
export async function runSfu(httpServer: Server): Promise<RunningSfu> {
  const access = await resolveAccess({
    host: '127.0.0.1',
    clock,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
  })
  if (access.mode !== 'development') throw new Error('expected development access')
  const sfu = await createSfu({
    httpServer,
    path: `${sfuPath}/socket.io`,
    access,
    keyserver: { url: 'http://127.0.0.1:9' },
    media: { workers: 1, addresses: [{ ip: '127.0.0.1' }] },
    clock,
    logger: pino({ level: 'silent' }),
  })
  return { sfu, mint: access.mint }
}
