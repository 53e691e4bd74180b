import { type Bytes, utf8 } from '@conclave/core/codec'
import { type SecretSuite, type Signer, signWithLabel } from '@conclave/core/crypto/secret'
import { nodeCrypto } from '@conclave/core/crypto/secret/node'
import { presenceLabel, presenceTbs } from '@conclave/core/delivery'
import {
  conclaveCapabilities,
  memberExtension,
  memberLabel,
  memberTbs,
} from '@conclave/core/meeting'
import {
  createKeyPackage,
  type KeyPackageBundle,
  lifetimeFrom,
  type OwnLeaf,
} from '@conclave/core/mls/bootstrap'
import { CredentialType, ProtocolVersion } from '@conclave/core/wire'
import { systemClock } from '@conclave/keyserver'
import { suite1Of } from '../people.ts'

export const crypto = nodeCrypto()
const suite: SecretSuite = suite1Of(crypto)

/** Longer than any run, in seconds. */
export const lifetime = lifetimeFrom(systemClock, 86_400)

/** Somebody with a device, which has certified the leaf for one meeting. */
export interface Person extends OwnLeaf {
  readonly identity: string
}

export async function person(identity: string, meetingId: string): Promise<Person> {
  const [signer, device] = await Promise.all([suite.generateSigner(), suite.generateSigner()])
  const content = memberTbs(meetingId, signer.publicKey)
  return {
    identity,
    signer,
    credential: { credentialType: CredentialType.basic, identity: utf8(identity) },
    capabilities: {
      versions: [ProtocolVersion.mls10],
      cipherSuites: [suite.suite.id],
      extensions: [...conclaveCapabilities.extensionTypes],
      proposals: [...conclaveCapabilities.proposalTypes],
      credentials: [CredentialType.basic],
    },
    extensions: [
      memberExtension({
        deviceKey: device.publicKey,
        deviceSignature: await signWithLabel(device, memberLabel, content),
        ticket: undefined,
      }),
    ],
  }
}

export function keyPackageOf(own: Person): Promise<KeyPackageBundle> {
  return createKeyPackage(suite, own, lifetime)
}

/** What `attach` asks for. */
export function signPresence(
  signer: Signer,
  leafIndex: number,
  { groupId, nonce }: { readonly groupId: Bytes; readonly nonce: Bytes },
): Promise<Bytes> {
  return signWithLabel(signer, presenceLabel, presenceTbs(groupId, leafIndex, nonce))
}
