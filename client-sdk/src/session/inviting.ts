import { ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes, fromUtf8, toHex } from '@conclave/core/codec'
import { makeKeyPackageRef } from '@conclave/core/crypto/public'
import { memberOf } from '@conclave/core/meeting'
import type { Group } from '@conclave/core/mls/group'
import { readKeyPackage } from '@conclave/core/mls/public'
import { CredentialType } from '@conclave/core/wire'
import type { DeliveryLink } from './deliveryLink.ts'
import { refusal, SessionError } from './sessionError.ts'

/** A device that was added to the meeting while it was away. */
export interface InvitedDevice {
  readonly identity: string
  /** What people verify about a device; the same in every meeting. */
  readonly deviceKey: Bytes
}

/** A device's KeyPackage, taken from the directory for the group that we are in. */
export interface ClaimedKeyPackage extends InvitedDevice {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  readonly signatureKey: Bytes
  /** MLSMessage with the KeyPackage. */
  readonly encoded: Bytes
}

/** Our place in the group, as far as inviting needs it. */
export interface InvitingPlace {
  readonly group: Group
  invite(claimed: ClaimedKeyPackage): Promise<boolean>
}

/** Devices of one identity; a keyserver that keeps its limits has fewer. */
const maxDevices = 32

/**
 * Takes a KeyPackage of each of somebody's devices that is not in the group. Whether they can be
 * added shows when they are: here they are only read.
 * @param problem told of what the keyserver gave that is no KeyPackage of this identity's
 * @throws SessionError `invitee-unknown`, `keyserver-refused`, `keyserver-unreachable`
 */
export async function claimDevices(
  link: Pick<DeliveryLink, 'request'>,
  group: Group,
  identity: string,
  problem: (error: ConclaveError) => void,
): Promise<readonly ClaimedKeyPackage[]> {
  const reply = await link.request('claim', { identity })
  if (!reply.ok) throw refusal(reply)
  if (reply.keyPackages.length === 0) throw inviteeUnknown(identity)
  const claimed = new Map<string, ClaimedKeyPackage>()
  for (const encoded of reply.keyPackages.slice(0, maxDevices)) {
    try {
      const one = read(group, identity, encoded)
      claimed.set(toHex(one.deviceKey), one)
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      problem(unfit(error))
    }
  }
  if (claimed.size === 0) throw inviteeUnknown(identity)
  const there = group.members.map(({ leafNode }) => memberOf(leafNode).deviceKey)
  return [...claimed.values()].filter(
    ({ deviceKey }) => !there.some((other) => equalBytes(other, deviceKey)),
  )
}

/** @throws CodecError, MlsError, MeetingError, SessionError where it is another identity's */
function read(group: Group, identity: string, encoded: Bytes): ClaimedKeyPackage {
  const keyPackage = readKeyPackage(encoded)
  const { credential, signatureKey } = keyPackage.leafNode
  if (
    credential.credentialType !== CredentialType.basic ||
    fromUtf8(credential.identity) !== identity
  ) {
    throw new SessionError('keyserver-protocol-violated', 'the KeyPackage is somebody else’s', {
      detail: 'identity-mismatch',
    })
  }
  const { deviceKey } = memberOf(keyPackage.leafNode)
  const ref = makeKeyPackageRef(group.public.crypto, keyPackage)
  return { identity, deviceKey, ref, signatureKey, encoded }
}

function unfit(cause: ConclaveError): SessionError {
  return new SessionError('keyserver-protocol-violated', 'a claimed KeyPackage is unfit', {
    cause,
    detail: (cause instanceof SessionError ? cause.detail : undefined) ?? cause.code,
  })
}

export function inviteeUnknown(identity: string): SessionError {
  return new SessionError('invitee-unknown', `no device of ${identity} can be invited`, {
    remedy: 'Ask them to open the application once, so that their device publishes KeyPackages.',
  })
}

/** Has them added; whether each is in then. In a place that was lost before, they may be already. */
export async function addClaimed(
  place: InvitingPlace,
  claimed: readonly ClaimedKeyPackage[],
): Promise<readonly boolean[]> {
  const { keys } = place.group.public.tree
  return await Promise.all(
    claimed.map((one) =>
      keys.memberWithSignatureKey(one.signatureKey) === undefined ? place.invite(one) : true,
    ),
  )
}
