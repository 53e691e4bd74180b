import { decode, encode } from '@conclave/core/codec'
import { Secret } from '@conclave/core/crypto/secret'
import { CommitEnvelope, protocolMinor, protocolVersion } from '@conclave/core/delivery'
import { meetingPolicy, roomPskId } from '@conclave/core/meeting'
import { createKeyPackage } from '@conclave/core/mls/bootstrap'
import { Group } from '@conclave/core/mls/group'
import { MlsMessage, RatchetTree } from '@conclave/core/wire'
import { connectServer } from '../../src/edge/serverConnection.ts'
import { socketTransport } from '../../src/edge/socketTransport.ts'
import { type SecureMeeting, systemClock, systemRandom } from '../../src/index.ts'
import type { DeliveryTransport } from '../../src/session/transport.ts'
import type { TestServer } from '../session/keyserver.ts'
import {
  crypto,
  encodedKeyPackage,
  leafOf,
  lifetime,
  meetingId,
  suite,
} from '../session/support/people.ts'

/**
 * Somebody who has a token of the meeting, so that the keyserver lets them into its rooms, and is not
 * in its group. They say that they are bob, who was called.
 */
export class Outsider {
  readonly #transport: DeliveryTransport
  readonly #roomId: string
  readonly #groupId: Uint8Array<ArrayBuffer>

  private constructor(
    transport: DeliveryTransport,
    roomId: string,
    groupId: Uint8Array<ArrayBuffer>,
  ) {
    this.#transport = transport
    this.#roomId = roomId
    this.#groupId = groupId
  }

  static async at(server: TestServer, roomId: string): Promise<Outsider> {
    const transport = await connected(server)
    return new Outsider(transport, roomId, await groupOf(transport, roomId))
  }

  /** Asks to be added. */
  async wait(): Promise<void> {
    const bundle = await createKeyPackage(suite, await leafOf('bob', this.#roomId), lifetime())
    const keyPackage = encodedKeyPackage(bundle)
    const reply = await this.#transport.request('wait', { groupId: this.#groupId, keyPackage })
    if (!reply.ok) throw new Error(reply.message)
  }

  /**
   * Commits themselves into the room, with a key of the meeting that they make up, or with none;
   * whether the keyserver takes it, or why not.
   */
  async commit(server: TestServer, withKey: boolean): Promise<string> {
    const groupId = this.#groupId
    const parent = await connected(server)
    const parentGroupId = await groupOf(parent, meetingId)
    const described = await parent.request('groupInfo', { groupId: parentGroupId })
    const own = await this.#transport.request('groupInfo', { groupId })
    if (!described.ok || !own.ok) throw new Error('no GroupInfo')
    const groupInfo = groupInfoIn(own.groupInfo)
    const { treeHash } = groupInfo.groupContext
    const tree = await this.#transport.request('tree', { groupId, treeHash })
    if (!tree.ok) throw new Error('no tree')
    const { epoch: parentEpoch } = groupInfoIn(described.groupInfo).groupContext
    const policy = meetingPolicy({ meetingId: this.#roomId })
    const pending = await Group.joinExternally(
      {
        crypto,
        clock: systemClock,
        // What the keyserver checks, and nothing else.
        policy: withKey ? policy : { ...policy, checkProposals: () => {} },
        preSharedKey: () => new Secret(new Uint8Array(32)),
      },
      {
        groupInfo,
        ratchetTree: decode(RatchetTree, tree.ratchetTree),
        own: await leafOf('bob', this.#roomId),
        preSharedKeys: withKey ? [roomPskId({ parentGroupId, parentEpoch }, systemRandom(32))] : [],
        authenticatedData: encode(CommitEnvelope, { seenSeq: BigInt(own.seq) }),
        groupInfoOptions: { externalPub: true },
      },
    )
    const { message, groupInfo: next } = pending
    const upload = { groupId, after: own.seq, message, welcome: null, groupInfo: next }
    const reply = await this.#transport.request('commit', upload)
    pending.discard()
    parent.close()
    return reply.ok ? 'taken' : (reply.detail ?? reply.code)
  }

  close(): void {
    this.#transport.close()
  }
}

/** Whether two people in a room say that they are bob. */
export function showsTwoBobs({ view }: SecureMeeting): boolean {
  return view.members.filter(({ identity }) => identity === 'bob').length === 2
}

async function connected(server: TestServer): Promise<DeliveryTransport> {
  const transport = socketTransport(connectServer(server.url), await server.tokenFor('bob'))
  await new Promise<void>((resolve, reject) =>
    transport.start({
      connected: resolve,
      disconnected: () => {},
      rejected: (code) => reject(new Error(code)),
      notice: () => {},
    }),
  )
  return transport
}

async function groupOf(transport: DeliveryTransport, meeting: string) {
  const protocol = { protocol: protocolVersion, minor: protocolMinor }
  const entered = await transport.request('enter', { ...protocol, meetingId: meeting })
  if (!entered.ok || entered.group === null) throw new Error(`no group of ${meeting}`)
  return entered.group.groupId
}

function groupInfoIn(bytes: Uint8Array) {
  const message = decode(MlsMessage, bytes)
  if (!('groupInfo' in message)) throw new Error('no GroupInfo')
  return message.groupInfo
}
