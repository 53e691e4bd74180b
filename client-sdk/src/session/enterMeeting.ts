import { type Bytes, type Codec, decode, encode, equalBytes } from '@conclave/core/codec'
import type { SecretCrypto, SecretSuite } from '@conclave/core/crypto/secret'
import type { ReplyTo, ServerNotices } from '@conclave/core/delivery'
import { foundingExtensions, type MeetingTrust } from '@conclave/core/meeting'
import type { KeyPackageBundle, OwnLeaf } from '@conclave/core/mls/bootstrap'
import { Group, type GroupInfoOptions } from '@conclave/core/mls/group'
import {
  CipherSuiteId,
  ExternalSender,
  type GroupInfo,
  MlsMessage,
  ProtocolVersion,
  RatchetTree,
  WireFormat,
} from '@conclave/core/wire'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import { branchOff, joinGroup } from '../rooms/roomEntry.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { lifetimeFrom } from './identity.ts'
import { refusal, SessionError } from './sessionError.ts'

/** §17.1's mandatory suite, the default of every Conclave group. */
const meetingSuite = CipherSuiteId.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519

const groupIdLength = 16

/** Whoever cannot wait for a committer enters with it; the tree is served by its hash. */
export const uploadedGroupInfo = { externalPub: true } as const satisfies GroupInfoOptions

/** @throws SessionError `platform-unsupported` */
export function suiteOf(crypto: SecretCrypto): SecretSuite {
  const suite = crypto.secretSuite(meetingSuite)
  if (suite === undefined) {
    throw new SessionError(
      'platform-unsupported',
      `the crypto provider lacks suite ${meetingSuite}`,
    )
  }
  return suite
}

export type Entered = Extract<ReplyTo<'enter'>, { ok: true }>

export type Founded =
  | { readonly kind: 'founded'; readonly group: Group; readonly seq: number }
  /** Another group was first; it is the one to join. */
  | { readonly kind: 'lost'; readonly groupId: Bytes }

/**
 * Founds the meeting's group; that of a breakout room branches off its parent at once. The keyserver
 * takes the first founder only: whoever loses gets `lost` and joins the group that won.
 * @throws SessionError, or what the policy throws
 */
export async function foundMeeting(
  environment: RoomEnvironment,
  link: Pick<DeliveryLink, 'request'>,
  meetingId: string,
  trust: MeetingTrust,
  own: OwnLeaf,
  { externalSender }: Entered,
): Promise<Founded> {
  const crypto = suiteOf(environment.crypto)
  const group = await Group.found(environment, {
    cipherSuite: meetingSuite,
    groupId: crypto.random(groupIdLength),
    own,
    lifetime: lifetimeFrom(environment.clock),
    extensions: foundingExtensions(meetingId, trust, readServer(ExternalSender, externalSender)),
  })
  try {
    const reply = await link.request('create', {
      groupInfo: await group.groupInfo(uploadedGroupInfo),
      ratchetTree: encode(RatchetTree, group.ratchetTree),
    })
    if (reply.ok) return { kind: 'founded', ...(await begin(environment, link, group, reply.seq)) }
    if (reply.code !== 'meeting-exists' || reply.group === undefined) throw refusal(reply)
    group.close()
    return { kind: 'lost', groupId: reply.group.groupId }
  } catch (error) {
    group.close()
    throw error
  }
}

/** @throws SessionError, or what the policy throws */
async function begin(
  { room }: RoomEnvironment,
  link: Pick<DeliveryLink, 'request'>,
  group: Group,
  seq: number,
): Promise<{ readonly group: Group; readonly seq: number }> {
  if (room === undefined) return { group, seq }
  const pending = await branchOff(room, group, uploadedGroupInfo)
  try {
    const { message, groupInfo } = pending
    const upload = { groupId: group.groupId, after: seq, message, welcome: null, groupInfo }
    const reply = await link.request('commit', upload)
    if (!reply.ok) throw refusal(reply)
    room.committed(pending.effect)
    return { group: group.confirm(pending), seq: reply.seq }
  } catch (error) {
    pending.discard()
    throw error
  }
}

export function encodeKeyPackage({ keyPackage }: KeyPackageBundle) {
  return encode(MlsMessage, {
    version: ProtocolVersion.mls10,
    wireFormat: WireFormat.keyPackage,
    keyPackage,
  })
}

/**
 * Joins by a Welcome, fetching the tree that its GroupInfo names.
 * @param continues the group that this one may continue
 * @throws SessionError, MlsError, or what the policy throws
 */
export async function joinByWelcome(
  environment: RoomEnvironment,
  link: Pick<DeliveryLink, 'request'>,
  bundle: KeyPackageBundle,
  { groupId, welcome }: Pick<ServerNotices['welcome'], 'groupId' | 'welcome'>,
  continues?: Group,
): Promise<Group> {
  const message = readServer(MlsMessage, welcome)
  if (message.wireFormat !== WireFormat.welcome) {
    throw new SessionError('keyserver-protocol-violated', 'the keyserver sent no Welcome')
  }
  const joining = {
    welcome: message.welcome,
    bundle,
    ratchetTree: async ({ groupContext }: GroupInfo) => {
      const reply = await link.request('tree', { groupId, treeHash: groupContext.treeHash })
      if (!reply.ok) throw refusal(reply)
      return readServer(RatchetTree, reply.ratchetTree)
    },
  }
  const group = await (continues === undefined
    ? joinGroup(environment, joining)
    : Group.join(environment, joining, continues))
  if (!equalBytes(group.groupId, groupId)) {
    group.close()
    throw new SessionError('keyserver-protocol-violated', 'the Welcome is for another group')
  }
  return group
}

/** @throws SessionError `keyserver-protocol-violated` */
export function readServer<T>(codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return decode(codec, bytes)
  } catch (cause) {
    throw new SessionError(
      'keyserver-protocol-violated',
      'the keyserver sent what is no MLS struct',
      {
        cause,
      },
    )
  }
}
