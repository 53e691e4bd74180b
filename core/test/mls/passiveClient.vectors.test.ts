import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import { makeKeyPackageRef } from '../../src/crypto/public/index.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { Group, type GroupEnvironment } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { MlsMessage, RatchetTree } from '../../src/wire/index.ts'
import { PskType, WireFormat } from '../../src/wire/registry.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite, testCrypto, vectorKey } from './testCrypto.ts'

interface PassiveClientVector {
  cipher_suite: number
  external_psks: { psk_id: string; psk: string }[]
  key_package: string
  signature_priv: string
  encryption_priv: string
  init_priv: string
  welcome: string
  ratchet_tree: string | null
  initial_epoch_authenticator: string
  epochs: { proposals: string[]; commit: string; epoch_authenticator: string }[]
}

/** When the vectors' KeyPackages were valid. */
const issued = Date.parse('2024-01-01T00:00:00Z')

for (const name of ['passive-client-welcome', 'passive-client-handling-commit']) {
  describeVector<PassiveClientVector[]>(`mls/${name}.json`, (vectors) => {
    it.each(implemented(vectors))('a passive client follows scenario %#', followScenario)
  })
}

async function followScenario(vector: PassiveClientVector): Promise<void> {
  const crypto = suite(vector.cipher_suite)
  const psks = new Map(vector.external_psks.map(({ psk_id, psk }) => [psk_id, psk]))
  const resumptionPsks = new Map<bigint, Secret>()
  const environment: GroupEnvironment = {
    crypto: testCrypto,
    policy: permissivePolicy,
    clock: { now: () => issued },
    preSharedKey: (id) => {
      if (id.pskType === PskType.resumption) return resumptionPsks.get(id.pskEpoch)
      const psk = psks.get(toHex(id.pskId))
      return psk === undefined ? undefined : new Secret(fromHex(psk))
    },
  }
  const packaged = decode(MlsMessage, fromHex(vector.key_package))
  const welcome = decode(MlsMessage, fromHex(vector.welcome))
  if (packaged.wireFormat !== WireFormat.keyPackage) throw new Error('not a KeyPackage')
  if (welcome.wireFormat !== WireFormat.welcome) throw new Error('not a Welcome')
  const { keyPackage } = packaged
  const tree = vector.ratchet_tree
  let group = await Group.join(environment, {
    welcome: welcome.welcome,
    bundle: {
      keyPackage,
      ref: makeKeyPackageRef(crypto, keyPackage),
      initKey: {
        publicKey: keyPackage.initKey,
        privateKey: vectorKey(crypto, vector.init_priv),
      },
      leafKey: {
        publicKey: keyPackage.leafNode.encryptionKey,
        privateKey: vectorKey(crypto, vector.encryption_priv),
      },
      signer: await crypto.importSigner(vectorKey(crypto, vector.signature_priv)),
      lastResort: false,
    },
    ...(tree === null ? {} : { ratchetTree: async () => decode(RatchetTree, fromHex(tree)) }),
  })
  expect(toHex(group.epochAuthenticator)).toBe(vector.initial_epoch_authenticator)
  resumptionPsks.set(group.epoch, group.resumptionPsk)

  for (const { proposals, commit, epoch_authenticator } of vector.epochs) {
    for (const proposal of proposals) {
      expect(await group.receive(fromHex(proposal))).toMatchObject({ kind: 'proposal' })
    }
    const received = await group.receive(fromHex(commit))
    if (received.kind !== 'commit') throw new Error(`the commit was ${JSON.stringify(received)}`)
    group = received.group
    expect(toHex(group.epochAuthenticator)).toBe(epoch_authenticator)
    resumptionPsks.set(group.epoch, group.resumptionPsk)
  }
}
