import { type Bytes, emptyBytes, toHex, utf8 } from '../../../src/codec/bytes.ts'
import { decode, encode } from '../../../src/codec/tls.ts'
import type { Signer } from '../../../src/crypto/secret/index.ts'
import { Secret, type SecretCrypto, type SecretSuite } from '../../../src/crypto/secret/index.ts'
import { nodeCrypto } from '../../../src/crypto/secret/node/index.ts'
import type { OwnLeaf } from '../../../src/mls/bootstrap/index.ts'
import { type GroupEnvironment, padme } from '../../../src/mls/group/index.ts'
import { permissivePolicy } from '../../../src/mls/public/index.ts'
import { signFramedContent } from '../../../src/mls/treedem/signFramedContent.ts'
import type { GroupContext } from '../../../src/wire/groupContext.ts'
import {
  type Extensions,
  ExternalSenders,
  type FramedContent,
  MlsMessage,
  type Proposal,
  type Sender,
} from '../../../src/wire/index.ts'
import { KdfLabel } from '../../../src/wire/labels.ts'
import {
  ContentType,
  CredentialType,
  ExtensionType,
  ProposalType,
  SenderType,
  WireFormat,
} from '../../../src/wire/registry.ts'
import { seededRandom } from '../../crypto/suite.ts'
import type { VirtualClock } from '../../virtualClock.ts'

import type { Letter } from './network.ts'

/** A proposal type and an extension of the application that the model groups belong to. */
export const customType = 0xf0f0
export const topicExtension = 0xf00f

/** All that somebody remembers who wipes nothing: path secrets, commit secrets, what was sealed to them. */
export type Memory = Set<string>

export interface Person {
  readonly name: string
  readonly own: OwnLeaf
  readonly environment: GroupEnvironment
  readonly memory: Memory
}

/** What is done wrong, to see that somebody notices. */
export interface Fault {
  /** How a person's software works. */
  readonly crypto?: (name: string, crypto: SecretCrypto) => SecretCrypto
  /** What else a person's software depends on. */
  readonly environment?: (name: string) => Partial<GroupEnvironment>
  /** What the network does not bring to a person, without anybody knowing. */
  readonly loses?: (name: string, letter: Letter) => boolean
}

/** People who share a source of randomness, so that all of them together are one deterministic machine. */
export class People {
  readonly crypto: SecretCrypto
  readonly suite: SecretSuite
  readonly #clock: VirtualClock
  readonly #fault: Fault
  #count = 0

  constructor(seed: string, clock: VirtualClock, fault: Fault = {}) {
    this.crypto = nodeCrypto({ random: seededRandom(seed), deterministic: true })
    this.suite = this.crypto.secretSuite(1) as SecretSuite
    this.#clock = clock
    this.#fault = fault
  }

  async newPerson(): Promise<Person> {
    const name = `p${this.#count++}`
    const memory: Memory = new Set()
    const signer = await this.suite.generateSigner()
    const crypto = remembering(this.crypto, memory)
    return {
      name,
      memory,
      environment: {
        ...this.#environment(this.#fault.crypto?.(name, crypto) ?? crypto),
        ...this.#fault.environment?.(name),
      },
      own: {
        signer,
        credential: { credentialType: CredentialType.basic, identity: utf8(name) },
        capabilities: {
          versions: [1],
          cipherSuites: [1],
          extensions: [topicExtension],
          proposals: [ProposalType.selfRemove, customType],
          credentials: [CredentialType.basic],
        },
        extensions: [],
      },
    }
  }

  #environment(crypto: SecretCrypto): GroupEnvironment {
    return {
      crypto,
      policy: permissivePolicy,
      clock: this.#clock,
      padding: padme,
      preSharedKey: (id) => ('pskId' in id ? externalPsk(id.pskId) : undefined),
      customProposals: new Map([
        [customType, { needsPath: false, senders: [SenderType.member], check: () => {} }],
      ]),
    }
  }
}

/** The external pre-shared key of any id: everyone knows all of them, adversaries too. */
export function externalPsk(id: Bytes): Secret {
  const key = new Uint8Array(32)
  key.set(id.subarray(0, 32))
  return new Secret(key)
}

export function groupExtensions(keyserver: Signer, topic: number): Extensions {
  const credential = { credentialType: CredentialType.basic, identity: utf8('keyserver') }
  const senders = [{ signatureKey: keyserver.publicKey, credential }]
  return [
    {
      extensionType: ExtensionType.externalSenders,
      extensionData: encode(ExternalSenders, senders),
    },
    { extensionType: topicExtension, extensionData: Uint8Array.of(topic & 0xff) },
  ]
}

/** A proposal by somebody who is not in the group. */
export async function proposeFromOutside(
  signer: Signer,
  sender: Sender,
  proposal: Proposal,
  context: GroupContext,
): Promise<Bytes> {
  const content: FramedContent = {
    groupId: context.groupId,
    epoch: context.epoch,
    sender,
    authenticatedData: emptyBytes,
    contentType: ContentType.proposal,
    proposal,
  }
  const wireFormat = WireFormat.publicMessage
  const signature = await signFramedContent(signer, wireFormat, content, context)
  return encode(MlsMessage, {
    version: 1,
    wireFormat,
    publicMessage: { content, auth: { signature } },
  })
}

/** The same provider, with whatever a path leads to kept in `memory`. */
function remembering(crypto: SecretCrypto, memory: Memory): SecretCrypto {
  return {
    publicSuite: (id) => crypto.publicSuite(id),
    secretSuite: (id) => {
      const suite = crypto.secretSuite(id)
      if (suite === undefined) return undefined
      return {
        ...suite,
        expand: (key, info, length) => {
          const output = suite.expand(key, info, length)
          if (labelOf(info) === 'path') memory.add(toHex(output))
          return output
        },
      }
    },
  }
}

/** What ExpandWithLabel is called for, without "MLS 1.0 ". */
export function labelOf(info: Uint8Array): string {
  return new TextDecoder().decode(decode(KdfLabel, info).label).slice('MLS 1.0 '.length)
}
