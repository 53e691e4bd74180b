import { type Bytes, fromHex, fromUtf8, toHex, utf8 } from '@conclave/core/codec'
import { type KeyPackageStock, type Mail, packMail, unpackMail } from '@conclave/core/delivery'
import type { RedisArgument, RedisConnection } from '../../store/redis/redisConnection.ts'
import {
  bytesOf,
  corrupted,
  listOf,
  numberOf,
  textOf,
  tuplesOf,
} from '../../store/redis/replies.ts'
import { claimedMs, type DirectoryStore, type PublishedKeyPackage } from '../directory.ts'
import { directoryScripts } from './directoryScripts.ts'

/** Identities that are swept in one go. */
const sweepBatch = 100
/** How late a sweep may be; what it then no longer knows of goes by its time to live. */
const overdueMs = 24 * 60 * 60_000

/**
 * In Redis, one server or a cluster. All that an identity has is in one slot, and goes with what
 * expires last.
 *
 * @param connection stays open: it is the store's, too
 * @param options `prefix`: what every key begins with
 */
export function redisDirectory(
  connection: RedisConnection,
  { prefix = 'conclave' }: { readonly prefix?: string } = {},
): DirectoryStore {
  const dueKey = (name: string): string => `${prefix}:directory:${name}`
  /** An identity's keys have one hash tag. */
  const keysOf = (identity: string): ((name: string) => string) => {
    const tag = encodeIdentity(identity)
    return (name) => `${prefix}:directory:{${tag}}:${name}`
  }
  const run = (
    name: keyof typeof directoryScripts,
    nameKey: (key: string) => string,
    args: readonly RedisArgument[],
  ): Promise<unknown> => connection.run(directoryScripts[name], nameKey, args)
  const noteDue = (identity: string, at: number, now: number) =>
    run('noteDue', dueKey, [encodeIdentity(identity), at, at - now + overdueMs])

  return {
    async publish({ identity, deviceKey }, { keyPackages, lastResort }, limits, now) {
      const reply = await run('publish', keysOf(identity), [
        toHex(deviceKey),
        now,
        limits.keyPackagesPerDevice,
        limits.keyPackagesPerIdentity,
        limits.devicesPerIdentity,
        ...(lastResort === null ? ['', 0, ''] : fieldsOf(lastResort)),
        ...keyPackages.flatMap(fieldsOf),
      ])
      if (reply === null) return null
      const added = lastResort === null ? keyPackages : [...keyPackages, lastResort]
      const first = Math.min(...added.map(({ expiresAt }) => expiresAt))
      // Afterwards, so that a sweep that just went past it cannot have taken it away.
      if (Number.isFinite(first)) await noteDue(identity, first, now)
      return stockOf(reply)
    },

    async stock({ identity, deviceKey }, now) {
      return stockOf(await run('stock', keysOf(identity), [toHex(deviceKey), now]))
    },

    async claim(identity, { identity: claimer, rate }, now) {
      const nameKey = keysOf(identity)
      const reply = await run(
        'claim',
        (key) => (key === 'claims' ? `${nameKey(key)}:${encodeIdentity(claimer)}` : nameKey(key)),
        [now, rate.claims, rate.perMs, claimedMs],
      )
      const [outcome, ...claimed] = listOf(reply)
      if (textOf(outcome) === 'too-often') return null
      return tuplesOf(claimed, 6).map(([device, ref, expiresAt, keyPackage, ...stock]) => ({
        deviceKey: fromHex(textOf(device)),
        ref: fromHex(textOf(ref)),
        expiresAt: numberOf(expiresAt),
        keyPackage: bytesOf(keyPackage),
        stock: stockOf(stock),
      }))
    },

    async deliver({ identity, deviceKey }, mail, expiresAt, limits, now) {
      const reply = await run('deliver', keysOf(identity), [
        toHex(deviceKey),
        toHex(mail.groupId),
        toHex(mail.ref),
        expiresAt,
        limits.mailPerDevice,
        limits.mailBytesPerDevice,
        now,
        packMail([mail]),
      ])
      const delivered = numberOf(reply) === 1
      if (delivered) await noteDue(identity, expiresAt, now)
      return delivered
    },

    async mailbox({ identity, deviceKey }, now) {
      const reply = await run('mailbox', keysOf(identity), [toHex(deviceKey), now])
      return listOf(reply).map((packed) => mailIn(bytesOf(packed)))
    },

    async collect({ identity, deviceKey }, { groupId, ref }) {
      await run('collect', keysOf(identity), [toHex(deviceKey), toHex(groupId), toHex(ref)])
    },

    async sweep(now) {
      let expired = 0
      for (;;) {
        const identities = listOf(await run('takeDue', dueKey, [now, sweepBatch])).map(textOf)
        for (const encoded of identities) {
          const identity = decodeIdentity(encoded)
          const [count, next] = listOf(await run('sweep', keysOf(identity), [now]))
          expired += numberOf(count)
          if (next !== undefined) await noteDue(identity, numberOf(next), now)
        }
        if (identities.length < sweepBatch) return expired
      }
    },

    async forget(identity, deviceKey) {
      const name = deviceKey === undefined ? '' : toHex(deviceKey)
      await run('forget', keysOf(identity), [name])
    },

    async close() {},
  }
}

/**
 * An identity in letters and digits. Not by way of UTF-8 alone, which has one form for all strings
 * with a lone surrogate.
 */
function encodeIdentity(identity: string): string {
  return toHex(utf8(JSON.stringify(identity)))
}

function decodeIdentity(encoded: string): string {
  const identity: unknown = JSON.parse(fromUtf8(fromHex(encoded)) ?? '')
  if (typeof identity !== 'string') throw corrupted('an identity')
  return identity
}

function fieldsOf({ ref, expiresAt, keyPackage }: PublishedKeyPackage): RedisArgument[] {
  return [toHex(ref), expiresAt, keyPackage]
}

function stockOf(reply: unknown): KeyPackageStock {
  const [remaining, lastResort] = listOf(reply)
  return { remaining: numberOf(remaining), lastResort: numberOf(lastResort) === 1 }
}

function mailIn(packed: Bytes): Mail {
  const [mail] = unpackMail(packed)
  if (mail === undefined) throw corrupted('a Welcome')
  return mail
}
