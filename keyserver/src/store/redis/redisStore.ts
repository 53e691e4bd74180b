import { equalBytes, toHex, utf8 } from '@conclave/core/codec'
import { maxPageBytes } from '@conclave/core/delivery'
import type { GroupKey, Store } from '../store.ts'
import type { LuaScript } from './luaScript.ts'
import { meetingIndex } from './meetingIndex.ts'
import type { RedisArgument, RedisConnection } from './redisConnection.ts'
import { bytesOf, corrupted, listOf, numberOf, textOf } from './replies.ts'
import {
  appendFailure,
  appendOutcome,
  asLeafList,
  attachedOf,
  entriesOf,
  leavesOf,
  recordOf,
  requestsOf,
  snapshotOf,
  statusesOf,
  waitingOf,
  wantedArguments,
  welcomeOf,
} from './storedValues.ts'
import { storeScripts as scripts } from './storeScripts.ts'

const defaultRetainedBytes = 16 << 20
/** How long a group's keys outlive its meeting. */
const keptAfterMs = 3_600_000
/** What goes before its group by the server's clock has been gone by the callers' for so long. */
const clockSlackMs = 60_000

/**
 * Keeps everything in Redis, so that several instances of the keyserver work on the same groups.
 * Each step is one Lua script; a group's keys share a hash tag, its log is a stream whose ids are
 * `<seq>-0`. Everything but the agreed values goes with its group by the server's own clock, an
 * hour after the meeting's time at the latest.
 *
 * @param options `retainedBytes`: how much log a group keeps beyond its snapshots, 16 MiB unless
 *   told; `prefix`: what all keys begin with, `conclave` unless told
 */
export function redisStore(
  redis: RedisConnection,
  options: { readonly retainedBytes?: number; readonly prefix?: string } = {},
): Store {
  const { retainedBytes = defaultRetainedBytes, prefix = 'conclave' } = options
  const keysOf = (meetingId: string) => {
    const ofMeeting = `${prefix}:{${toHex(utf8(meetingId))}}:`
    return (name: string) => ofMeeting + name
  }
  const run = (key: GroupKey, script: LuaScript, ...args: readonly RedisArgument[]) =>
    redis.run(script, keysOf(key.meetingId), [key.groupId, ...args])
  const readGroup = async (meetingId: string) => {
    const group = keysOf(meetingId)('group')
    const reply = await redis.send(group, ['HMGET', group, 'id', 'epoch', 'head'])
    const [id, epoch, head] = listOf(reply)
    if (id === null) return null
    return { groupId: bytesOf(id), epoch: numberOf(epoch), head: numberOf(head) }
  }
  const meetings = meetingIndex(redis, prefix, async ({ meetingId, groupId }) => {
    const group = await readGroup(meetingId)
    return group !== null && equalBytes(group.groupId, groupId)
  })

  return {
    durable: redis.durable,
    shared: true,

    async check() {
      await redis.sendToEach(['PING'])
    },

    async agree(name, proposed) {
      const key = `${prefix}:{agreed}:${name}`
      await redis.send(key, ['SET', key, proposed, 'NX'])
      return bytesOf(await redis.send(key, ['GET', key]))
    },

    listMeetings: meetings.list,
    currentGroup: readGroup,

    async createGroup({ key, snapshot, now, dueAt, expiresAt }) {
      const { groupInfo, treeHash, ratchetTree, overdue } = snapshot
      const tree = [treeHash, ratchetTree, asLeafList(overdue)]
      const keepFor = expiresAt + keptAfterMs - now
      const reply = listOf(
        await run(key, scripts.createGroup, groupInfo, ...tree, now, dueAt, expiresAt, keepFor),
      )
      const [outcome, id, epoch, head, foundedBy] = reply
      if (textOf(outcome) === 'created') {
        await meetings.add(key, keepFor)
        return { outcome: 'created' }
      }
      const group = { groupId: bytesOf(id), epoch: numberOf(epoch), head: numberOf(head) }
      const same =
        equalBytes(group.groupId, key.groupId) && equalBytes(bytesOf(foundedBy), groupInfo)
      // Whoever created it may have been interrupted before.
      if (same) await meetings.add(key, keepFor)
      return { outcome: 'exists', group, same }
    },

    async closeGroup(key) {
      const [outcome] = listOf(await run(key, scripts.closeGroup))
      await meetings.remove(key)
      return textOf(outcome) === 'closed'
    },

    async appendProposal(key, { epoch, message, now, leaving }) {
      const reply = await run(key, scripts.appendProposal, epoch, now, message, leaving ?? '')
      return appendOutcome(key, listOf(reply))
    },

    async appendCommit(key, commit) {
      const { epoch, now, message, groupInfo, welcome, rate, dueAt, joinedBy, snapshot } = commit
      const reply = listOf(
        await run(
          key,
          scripts.appendCommit,
          ...[epoch, commit.after, now, message, groupInfo, welcome ?? ''],
          ...[commit.committer, rate.commits, now - rate.perMs],
          ...[dueAt, joinedBy, asLeafList(commit.added), asLeafList(commit.removed)],
          ...(snapshot === null
            ? ['', '', '']
            : [snapshot.treeHash, snapshot.ratchetTree, asLeafList(snapshot.overdue)]),
          ...[commit.treeUntil, commit.welcomeUntil, commit.refUntil, retainedBytes],
          ...wantedArguments(commit.offers),
          ...commit.parts.flatMap((part) => [part.ref, part.leafIndex, part.welcome]),
        ),
      )
      const outcome = textOf(reply[0])
      if (outcome === 'ref-used' || outcome === 'too-often') return { outcome }
      if (outcome === 'offers-missing') return { outcome, leaves: reply.slice(1).map(numberOf) }
      const appended = appendOutcome(key, reply)
      if (appended.outcome !== 'appended') return appended
      return { ...appended, admitted: waitingOf(reply.slice(2)) }
    },

    async appendVoid(key, { epoch, now, voided, message, dueAt, added, removed }) {
      const members = [dueAt, asLeafList(added), asLeafList(removed)]
      const reply = await run(key, scripts.appendVoid, epoch, now, voided, message, ...members)
      return appendOutcome(key, listOf(reply))
    },

    async appendReturned(key, returned) {
      const { epoch, head, epochAfter, now, dueAt, snapshot, records } = returned
      const reply = await run(
        key,
        scripts.appendReturned,
        ...[epoch, head, epochAfter, now, dueAt],
        ...[returned.committers, returned.added, returned.removed].map(asLeafList),
        ...[snapshot.seq, snapshot.groupInfo, snapshot.treeHash, snapshot.ratchetTree],
        ...[asLeafList(snapshot.overdue), retainedBytes],
        ...records.flatMap(({ kind, epoch, at, message, upload }) => [
          ...[kind, epoch, at, message],
          upload === undefined ? '' : upload.welcome === null ? 'info' : 'welcome',
          upload?.groupInfo ?? '',
          upload?.welcome ?? '',
        ]),
      )
      return appendOutcome(key, listOf(reply))
    },

    async readLog(key, after, limit) {
      const reply = await run(key, scripts.readLog, after, limit, maxPageBytes)
      if (reply === null) return undefined
      const [head, trimmed, entries] = listOf(reply)
      return {
        entries: listOf(entries).map(recordOf),
        head: numberOf(head),
        trimmed: numberOf(trimmed),
      }
    },

    async readEntries(key, after, limit) {
      const reply = await run(key, scripts.readEntries, after, limit, maxPageBytes)
      if (reply === null) return undefined
      return entriesOf(after, listOf(reply))
    },

    async findCommit(key, epoch) {
      const reply = await run(key, scripts.findCommit, epoch)
      if (reply === null) return undefined
      const [entry] = listOf(reply)
      return entry === undefined ? undefined : recordOf(entry)
    },

    async readSnapshot(key) {
      const reply = await run(key, scripts.readSnapshot)
      return reply === null ? undefined : snapshotOf(reply)
    },

    async readGroupInfo(key) {
      const reply = await run(key, scripts.readGroupInfo)
      if (reply === null) return undefined
      const [seq, groupInfo] = listOf(reply)
      return { groupInfo: bytesOf(groupInfo), seq: numberOf(seq) }
    },

    async readTree(key, treeHash, now) {
      const reply = await run(key, scripts.readTree, treeHash, now)
      return reply === null ? undefined : bytesOf(reply)
    },

    async addWaiting(key, entry, { waiting, now }) {
      const { ref, keyPackage, owner, identity, expiresAt } = entry
      const place = [ref, keyPackage, owner, identity, expiresAt]
      const reply = listOf(await run(key, scripts.addWaiting, ...place, waiting, now))
      const outcome = textOf(reply[0])
      switch (outcome) {
        case 'waiting':
          return { outcome, position: numberOf(reply[1]) }
        case 'welcomed':
          return { outcome, ...welcomeOf(ref, reply.slice(1)) }
        case 'used':
        case 'full':
        case 'group-unknown':
          return { outcome }
        default:
          throw corrupted('an outcome of waiting')
      }
    },

    async withdrawWaiting(key, ref, owner) {
      return (await run(key, scripts.withdrawWaiting, ref, owner)) === 1
    },

    async listWaiting(key, now) {
      return waitingOf(listOf(await run(key, scripts.listWaiting, now)))
    },

    async findWelcome(key, ref, now) {
      const reply = await run(key, scripts.findWelcome, ref, now)
      return reply === null ? undefined : welcomeOf(ref, listOf(reply))
    },

    async dropWelcome(key, leafIndex) {
      await run(key, scripts.dropWelcome, leafIndex)
    },

    async attach(key, { connection, instance, leaf }, { dueAt, leaseUntil }) {
      return (await run(key, scripts.attach, connection, instance, leaf, dueAt, leaseUntil)) === 1
    },

    async detach(key, connection, dueAt) {
      return (await run(key, scripts.detach, connection, dueAt)) === 1
    },

    async renewLease(key, instance, until) {
      return (await run(key, scripts.renewLease, instance, until)) === 1
    },

    async markLeaving(key, leaf, envelope) {
      await run(key, scripts.markLeaving, leaf, envelope)
    },

    async readPresence(key, { now, graceMs, idleMs }) {
      const reply = await run(key, scripts.readPresence, now, graceMs, now - idleMs)
      if (reply === null) return undefined
      const [expiresAt, present, overdue, leaving, nextDue, requests, idle] = listOf(reply)
      return {
        present: leavesOf(present),
        overdue: leavesOf(overdue),
        idle: leavesOf(idle),
        leaving: leavesOf(leaving),
        requests: requestsOf(requests),
        nextDue: textOf(nextDue) === '' ? null : numberOf(nextDue),
        expiresAt: numberOf(expiresAt),
      }
    },

    async addStatus(key, seq, { leaf, status, signature }) {
      const reply = await run(key, scripts.addStatus, seq, leaf, status, signature)
      return reply === null ? undefined : statusesOf(reply)
    },

    async putOffer(key, epoch, offer, { wanted, final }) {
      const { leaf, cipherSuite, until, keys, keyPackage } = offer
      const reply = listOf(
        await run(
          key,
          scripts.putOffer,
          ...[epoch, leaf, cipherSuite, until, keys.map(toHex).join(' '), keyPackage],
          ...[final ? 1 : 0, ...wantedArguments(wanted)],
        ),
      )
      const outcome = textOf(reply[0])
      switch (outcome) {
        case 'offered':
          return { outcome, missing: reply.slice(1).map(numberOf) }
        case 'key-taken':
        case 'offered-before':
          return { outcome }
        default:
          return appendFailure(key, reply)
      }
    },

    async missingOffers(key, wanted) {
      const reply = await run(key, scripts.missingOffers, ...wantedArguments(wanted))
      return reply === null ? undefined : listOf(reply).map(numberOf)
    },

    async readOffers(key, leaves) {
      const reply = await run(key, scripts.readOffers, asLeafList(leaves))
      if (reply === null) return undefined
      const keyPackages = listOf(reply)
      return keyPackages.includes(null) ? undefined : keyPackages.map(bytesOf)
    },

    async continueGroup(key, next) {
      const { groupId, snapshot, leaves, now } = next
      const reply = listOf(
        await run(
          key,
          scripts.continueGroup,
          ...[next.epoch, next.head, groupId, next.firstEpoch, now, next.dueAt, next.joinedBy],
          ...[snapshot.groupInfo, snapshot.treeHash, snapshot.ratchetTree],
          leaves.map((leaf) => `${leaf.before} ${leaf.after} ${toHex(leaf.envelope)}`).join(),
          ...[next.treeUntil, next.welcomeUntil, next.refUntil],
          ...[next.pastUntil, next.pastUntil - now + clockSlackMs],
          ...next.parts.flatMap((part) => [part.ref, part.leafIndex, part.welcome]),
        ),
      )
      if (textOf(reply[0]) !== 'continued') return appendFailure(key, reply)
      await meetings.remove(key)
      await meetings.add({ ...key, groupId }, numberOf(reply[1]))
      return { outcome: 'continued', attached: attachedOf(reply.slice(2)) }
    },

    async continuationOf({ meetingId, groupId }) {
      const group = keysOf(meetingId)('group')
      const reply = await redis.send(group, ['HMGET', group, 'id', 'epoch', 'head', 'past'])
      const [id, epoch, head, past] = listOf(reply)
      if (id === null || past === null) return undefined
      if (!textOf(past).split(' ').includes(toHex(groupId))) return undefined
      return { groupId: bytesOf(id), epoch: numberOf(epoch), head: numberOf(head) }
    },

    async isFoundedBy(key, groupInfo) {
      const group = keysOf(key.meetingId)('group')
      const [id, foundedBy] = listOf(await redis.send(group, ['HMGET', group, 'id', 'foundedBy']))
      const isFounded =
        id !== null &&
        equalBytes(bytesOf(id), key.groupId) &&
        equalBytes(bytesOf(foundedBy), groupInfo)
      if (isFounded) {
        // Whoever founded it may have been interrupted before.
        const keepFor = numberOf(await redis.send(group, ['PTTL', group]))
        if (keepFor > 0) await meetings.add(key, keepFor)
      }
      return isFounded
    },

    async readPastEntries(key, after, limit, now) {
      const reply = await run(key, scripts.readPastEntries, after, limit, maxPageBytes, now)
      return reply === null ? undefined : entriesOf(after, listOf(reply))
    },

    close: () => redis.close(),
  }
}
