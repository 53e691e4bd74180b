import { createHash } from 'node:crypto'
import { type Bytes, utf8 } from '../../core/src/codec/bytes.ts'
import { Secret, type SecretSuite, type Signer } from '../../core/src/crypto/secret/index.ts'
import { nodeCrypto } from '../../core/src/crypto/secret/node/index.ts'
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

/** For making the worlds; contestants bring cryptography of their own. */
export const suite1 = nodeSuite(1)

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
      const next = createHash('sha256').update(`${seed} ${block++}`).digest()
      bytes.set(next.subarray(0, Math.min(32, length - at)), at)
    }
    return bytes
  }
}

function nodeSuite(id: number): SecretSuite {
  const suite = nodeCrypto().secretSuite(id)
  if (suite === undefined) throw new TypeError(`no cipher suite ${id}`)
  return suite
}
