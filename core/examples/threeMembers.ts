import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import {
  type Bytes,
  createBasicLeaf,
  createKeyPackage,
  Group,
  type GroupEnvironment,
  lifetimeFrom,
  ProposalType,
  permissivePolicy,
  readWelcome,
  utf8,
} from '@conclave/core/mls'

/** Alice founds a group and adds Bob and Carol; all three export the same key. */
export async function threeMembers(clock: { now(): number }): Promise<readonly Bytes[]> {
  const crypto = nodeCrypto()
  const environment: GroupEnvironment = { crypto, clock, policy: permissivePolicy }
  const suite = crypto.secretSuite(1)
  if (suite === undefined) throw new Error('no cipher suite 1')
  const leaf = (name: string) => createBasicLeaf(crypto, suite, utf8(name))
  const lifetime = lifetimeFrom(clock, 24 * 3600)

  const founding = { cipherSuite: 1, groupId: suite.random(16), own: await leaf('Alice'), lifetime }
  const founded = await Group.found(environment, founding)
  const bob = await createKeyPackage(suite, await leaf('Bob'), lifetime)
  const carol = await createKeyPackage(suite, await leaf('Carol'), lifetime)
  const add = ({ keyPackage }: typeof bob) => ({ proposalType: ProposalType.add, keyPackage })
  const proposals = [bob, carol].map(add)

  // Nothing changes until the delivery service has accepted the commit.
  const pending = await founded.commit({ proposals, groupInfo: { ratchetTree: true } })
  const groups = [founded.confirm(pending)]
  const welcome = readWelcome(pending.welcome ?? utf8(''))
  for (const bundle of [bob, carol]) groups.push(await Group.join(environment, { welcome, bundle }))
  return groups.map((group) => group.exportSecret('my app', utf8('my context'), 32).expose())
}
