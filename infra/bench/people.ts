import { type Bytes, utf8 } from '../../core/src/codec/bytes.ts'
import {
  Secret,
  type SecretCrypto,
  type SecretSuite,
  type Signer,
  webCrypto,
} from '../../core/src/crypto/secret/index.ts'
import {
  createKeyPackage,
  type KeyPackageBundle,
  lifetimeFrom,
  type OwnLeaf,
} from '../../core/src/mls/bootstrap/index.ts'
import type { RandomBytes } from '../../core/src/runtime.ts'
import { CredentialType, ProtocolVersion } from '../../core/src/wire/registry.ts'

/** Somebody with a KeyPackage, and all keys in the open: every contestant gets the same ones. */
export interface Person extends OwnLeaf {
  readonly signer: Signer
  readonly signatureKey: Bytes
  /** Who joins with it wipes its keys: give away copies. */
  readonly bundle: KeyPackageBundle
}

/** Longer than any run. */
export const lifetime = lifetimeFrom({ now: () => Date.now() }, 86_400)

const people = new Map<string, Promise<Person>>()

/** The platform's. */
export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length))

/** For making the worlds, in Node and in browsers; contestants bring cryptography of their own. */
export const suite1 = suite1Of(webCrypto(crypto.subtle, systemRandom))

/** The person of this name: made once, for making keys is most of the work of a world. */
export function person(name: string): Promise<Person> {
  const known = people.get(name) ?? newPerson(name)
  people.set(name, known)
  return known
}

async function newPerson(name: string): Promise<Person> {
  const signatureKey = suite1.random(suite1.suite.Nsk)
  const own: OwnLeaf = {
    signer: await suite1.importSigner(new Secret(signatureKey.slice())),
    credential: { credentialType: CredentialType.basic, identity: utf8(name) },
    capabilities: {
      versions: [ProtocolVersion.mls10],
      cipherSuites: [suite1.suite.id],
      extensions: [],
      proposals: [],
      credentials: [CredentialType.basic],
    },
    extensions: [],
  }
  return { ...own, signatureKey, bundle: await createKeyPackage(suite1, own, lifetime) }
}

/** A stream of bytes that is the same for every run with this seed. */
export function seededRandom(seed: string): RandomBytes {
  let block = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      const next = suite1.hash(utf8(`${seed} ${block++}`))
      bytes.set(next.subarray(0, Math.min(32, length - at)), at)
    }
    return bytes
  }
}

/** @throws TypeError where there is no such suite */
export function suite1Of(provider: SecretCrypto): SecretSuite {
  const suite = provider.secretSuite(1)
  if (suite === undefined) throw new TypeError('no cipher suite 1')
  return suite
}
