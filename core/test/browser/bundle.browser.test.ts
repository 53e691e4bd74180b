import { codec, mls, secrets, wire } from 'virtual:bundled-core'
import { expect, it } from 'vitest'

/** Vector tests load the sources one by one; this is what an application ships. */

const environment: mls.GroupEnvironment = {
  crypto: secrets.webCrypto(crypto.subtle, (length) =>
    crypto.getRandomValues(new Uint8Array(length)),
  ),
  policy: mls.permissivePolicy,
  clock: { now: () => Date.now() },
}
const lifetime = mls.lifetimeFrom(environment.clock, 300)

/** Somebody who signs with a key that no script can read. */
async function person(name: string): Promise<mls.OwnLeaf> {
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
  await expect(crypto.subtle.exportKey('pkcs8', pair.privateKey)).rejects.toThrow()
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  return {
    signer: secrets.webSigner(crypto.subtle, pair.privateKey, publicKey),
    credential: { credentialType: wire.CredentialType.basic, identity: codec.utf8(name) },
    capabilities: {
      versions: [wire.ProtocolVersion.mls10],
      cipherSuites: [1],
      extensions: [],
      proposals: [],
      credentials: [wire.CredentialType.basic],
    },
    extensions: [],
  }
}

it('the bundle makes a group whose members export the same key, in a browser without Node', async () => {
  expect('process' in globalThis).toBe(false)
  const suite = environment.crypto.secretSuite(1)
  if (suite === undefined) throw new Error('suite 1 is missing')
  const founder = await mls.Group.found(environment, {
    cipherSuite: 1,
    groupId: suite.random(16),
    own: await person('alice'),
    lifetime,
    extensions: [],
  })
  const bundle = await mls.createKeyPackage(suite, await person('bob'), lifetime)
  const { keyPackage } = bundle
  const pending = await founder.commit({
    proposals: [{ proposalType: wire.ProposalType.add, keyPackage }],
  })
  const alice = founder.confirm(pending)
  const message = codec.decode(wire.MlsMessage, pending.welcome ?? codec.emptyBytes)
  if (message.wireFormat !== wire.WireFormat.welcome) throw new Error('no Welcome')
  const bob = await mls.Group.join(environment, {
    welcome: message.welcome,
    bundle,
    ratchetTree: async () => alice.ratchetTree,
  })
  const [hers, his] = [alice, bob].map((group) =>
    group.exportSecret('test', codec.emptyBytes, 32).expose(),
  )
  expect(hers).toHaveLength(32)
  expect(his).toEqual(hers)
})
