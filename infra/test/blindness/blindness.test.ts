import { utf8 } from '@conclave/core/codec'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import { redisMissing } from '../../../keyserver/test/support/redisServer.ts'
import { BareMember, Member, type Way } from './members.ts'
import {
  type Discovery,
  ObservedServers,
  type Place,
  places,
  type Searched,
} from './observedServers.ts'
import { choosePlants, plantAll } from './plants.ts'
import { RtpPath } from './rtpPath.ts'
import { type RecordedSecret, SecretRecorder } from './secretRecorder.ts'
import { SecretScanner } from './secretScanner.ts'

const meetingId = 'standup'
/** All of an epoch's key schedule (RFC 9420 §8), of paths, of Welcomes, of the secret tree. */
const labels = [
  ...['joiner', 'welcome', 'epoch', 'init', 'sender data', 'encryption', 'exporter', 'external'],
  ...['confirm', 'membership', 'resumption', 'authentication', 'application_export'],
  ...['path', 'node', 'tree', 'handshake', 'application', 'secret', 'key', 'nonce'],
  ...['SFrame 1.0 Base Key', 'exported'],
].map((label) => `MLS 1.0 ${label}`)
const others = [
  ...['drawn', 'extracted', 'HPKE', 'HPKE private key', 'Diffie-Hellman'],
  ...['signature private key', 'SFrame base key', 'sframe_secret', 'SFrame key', 'SFrame salt'],
]
/** For a loaded machine: seconds of it are heap snapshots. */
const patienceMs = 300_000

const recorder = new SecretRecorder()
const scanner = new SecretScanner<RecordedSecret>()
let indexed = 0
let servers: ObservedServers
let media: RtpPath | undefined
let alice: Member
let bob: Member
let carol: Member
let dave: BareMember

async function way(identity: string, throughSfu: boolean): Promise<Way> {
  const { toSfu, toKeyserver } = servers
  const token = await servers.token(identity, meetingId)
  const { url } = throughSfu ? toSfu : toKeyserver
  return { meetingId, recorder, token, url, throughSfu }
}

/** Looks everywhere for every secret that there has been so far; only in `empty` there is nothing. */
async function search(point: string, empty: readonly Place[] = []): Promise<Discovery[]> {
  const { secrets } = recorder
  for (const secret of secrets.slice(indexed)) scanner.add(secret.bytes, secret)
  indexed = secrets.length
  const { discoveries, searched } = await servers.search(scanner, media)
  console.info(`${point}: ${secrets.length} secrets looked for in ${table(searched)}`)
  expect(places.filter((place) => (searched.get(place) ?? 0) === 0)).toEqual(empty)
  return discoveries
}

function table(searched: Searched): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 0)} MB`
  return [...searched].map(([place, bytes]) => `${place} ${megabytes(bytes)}`).join(', ')
}

function shown(discoveries: readonly Discovery[]): string[] {
  return discoveries.map(
    ({ place, secret, form, offset }) => `${secret.name} in ${place}, ${form}, at ${offset}`,
  )
}

/** All who are there have the same epoch, a later one than `before`. */
async function agreeing(members: readonly Member[], count: number, before: bigint): Promise<void> {
  await eventually(
    `${count} in an epoch after ${before}`,
    () => {
      const [first] = members
      return members.every(
        ({ epoch, meeting }) =>
          epoch > before && epoch === first?.epoch && meeting.view.members.length === count,
      )
    },
    patienceMs,
  )
}

async function speak(from: Member, to: Member): Promise<void> {
  const frame = utf8(`what ${from.leaf} says to ${to.leaf} in ${from.epoch}`)
  const arrived = await media?.carry(await from.seal(frame))
  expect(arrived && (await to.open(from, arrived))).toEqual(frame)
}

describe.skipIf(redisMissing)(
  'nothing that a client keeps secret is anywhere on the servers',
  () => {
    beforeAll(async () => {
      servers = await ObservedServers.start()
    }, patienceMs)

    afterAll(async () => {
      media?.close()
      await servers?.stop()
    })

    test('after the founding', { timeout: patienceMs }, async () => {
      alice = await Member.join('alice', await way('alice', false))
      const noSfuYet = ['SFU socket, from clients', 'SFU socket, to clients', 'SFU media'] as const
      expect(shown(await search('after the founding', noSfuYet))).toEqual([])
    })

    test('after others have joined, directly and through the SFU', {
      timeout: patienceMs,
    }, async () => {
      bob = await Member.join('bob', await way('bob', true))
      carol = await Member.join('carol', await way('carol', true))
      dave = await BareMember.join('dave', await way('dave', false))
      media = await RtpPath.open(servers.sfu)
      await agreeing([alice, bob, carol], 4, 0n)
      await speak(alice, bob)
      await dave.useSecretTree()
      expect(shown(await search('after the joins'))).toEqual([])
    })

    test('after a rotation', { timeout: patienceMs }, async () => {
      const { epoch } = alice
      await dave.rotate()
      await agreeing([alice, bob, carol], 4, epoch)
      await speak(bob, alice)
      expect(shown(await search('after a rotation'))).toEqual([])
    })

    test('after a removal', { timeout: patienceMs }, async () => {
      const { epoch } = alice
      await servers.remove('dave', meetingId)
      await agreeing([alice, bob, carol], 3, epoch)
      await speak(carol, bob)
      expect(shown(await search('after a removal'))).toEqual([])
    })

    test('after the end', { timeout: patienceMs }, async () => {
      for (const member of [carol, bob, alice]) await member.leave()
      await eventually('the meeting to be over', () => servers.isEmpty(), patienceMs)
      expect(shown(await search('after the end'))).toEqual([])
    })

    test('and all kinds of secrets were looked for', () => {
      for (const name of [...labels, ...others]) expect(recorder.names, name).toContain(name)
      const { importedFrameKeys, identifiers } = recorder
      expect(importedFrameKeys.length).toBeGreaterThan(0)
      expect(importedFrameKeys.filter((key) => !recorder.has(key))).toEqual([])
      // What was drawn and is no secret: the one group's id.
      expect(identifiers).toHaveLength(1)
    })

    test('but a secret in any place is found, in any form', { timeout: patienceMs }, async () => {
      const plants = choosePlants(recorder.secrets)
      const token = await servers.token('mallory', meetingId)
      await plantAll(servers, media as RtpPath, plants, token)
      const discoveries = await search('with plants')
      const missed = plants.filter(
        ({ place, secret }) =>
          !discoveries.some((found) => found.place === place && found.secret === secret),
      )
      expect(missed.map(({ place, form }) => `${form} in ${place}`)).toEqual([])
      const planted = new Set(plants.map(({ secret }) => secret))
      expect(shown(discoveries.filter(({ secret }) => !planted.has(secret)))).toEqual([])
    })
  },
)
