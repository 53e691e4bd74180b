import { equalBytes } from '../../codec/bytes.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { PreSharedKeyId } from '../../wire/proposal.ts'
import { PskType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import type { PreSharedKeyInput } from '../treekem/preSharedKeys.ts'
import type { Epoch, GroupEnvironment } from './epoch.ts'

/** Finds a key by its id; what it gives stays its own. */
export type PreSharedKeys = (id: PreSharedKeyId) => Secret | undefined

/** A group's own past epochs (RFC 9420 §8.6), and what the application knows. */
export function preSharedKeysOf(epoch: Epoch): PreSharedKeys {
  return (id) => resumptionPskOf(epoch, id) ?? applicationPsks(epoch.environment)(id)
}

export function applicationPsks(environment: GroupEnvironment): PreSharedKeys {
  return environment.preSharedKey ?? (() => undefined)
}

function resumptionPskOf(epoch: Epoch, id: PreSharedKeyId): Secret | undefined {
  const { groupId, epoch: current } = epoch.public.groupContext
  if (id.pskType !== PskType.resumption || !equalBytes(id.pskGroupId, groupId)) return undefined
  return id.pskEpoch === current
    ? epoch.secrets.resumptionPsk
    : epoch.history.resumptionPsks.get(id.pskEpoch)
}

/** @throws MlsError `commit-psk-missing` */
export function findPreSharedKeys(
  known: PreSharedKeys,
  ids: readonly PreSharedKeyId[],
): readonly PreSharedKeyInput[] {
  return ids.map((id) => {
    const key = known(id)
    if (key === undefined) throw new MlsError('commit-psk-missing', 'a pre-shared key is missing')
    return { id, key }
  })
}
