import type { Bytes } from '../../codec/bytes.ts'
import { type Codec, empty, encode, encodeEach, extend } from '../../codec/tls.ts'
import { isEncryptionKey } from '../../crypto/public/encryptionKey.ts'
import { mlsLabel } from '../../crypto/public/label.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../../crypto/public/verifyWithLabel.ts'
import type { RequiredCapabilities } from '../../wire/extension.ts'
import { SignContent } from '../../wire/labels.ts'
import {
  type Capabilities,
  type LeafIndex,
  type LeafNode,
  type LeafNodeContent,
  LeafNodePosition,
  PlacedLeafNodeTbs,
  UnplacedLeafNodeTbs,
} from '../../wire/ratchetTree.ts'
import { LeafNodeSource, ProtocolVersion } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { checkExtensions } from './extensions.ts'

/** RFC 9420 §7.2: what every implementation supports and nobody lists. */
const defaultExtensionTypes = 5
const defaultProposalTypes = 7

export const leafNodeLabel = 'LeafNodeTBS'

/** RFC 9420 §7.2: an updated or committed leaf is signed together with where it stands. */
export function leafNodeTbs(leafNode: LeafNodeContent, position?: LeafNodePosition): Bytes {
  return leafNode.leafNodeSource === LeafNodeSource.keyPackage || position === undefined
    ? encode(UnplacedLeafNodeTbs, leafNode)
    : encode(PlacedLeafNodeTbs, { ...leafNode, ...position })
}

/**
 * `position` may be missing only where no position is signed: for a KeyPackage's leaf.
 * @throws MlsError `leaf-signature-invalid`
 */
export async function verifyLeafNodeSignature(
  crypto: PublicSuite,
  leafNode: LeafNode,
  position?: LeafNodePosition,
): Promise<void> {
  const { signatureKey, signature } = leafNode
  const content = leafNodeTbs(leafNode, position)
  if (
    !(await verifyWithLabel(crypto, signatureKey, leafNodeLabel, content, signature, 'recurring'))
  ) {
    throw invalidSignature()
  }
}

/** What a leaf's signature covers; where it stands is left out again for a KeyPackage's. */
const LeafNodeTbs = extend(
  UnplacedLeafNodeTbs,
  ({ leafNodeSource }) =>
    (leafNodeSource === LeafNodeSource.keyPackage
      ? empty
      : LeafNodePosition) as Codec<LeafNodePosition>,
)

/**
 * `verifyLeafNodeSignature` for all leaves of a tree at once.
 * @throws MlsError `leaf-signature-invalid`
 */
export async function verifyLeafNodeSignatures(
  crypto: PublicSuite,
  members: readonly { readonly leafIndex: LeafIndex; readonly leafNode: LeafNode }[],
  groupId: Bytes,
): Promise<void> {
  const label = mlsLabel(leafNodeLabel)
  const contents = encodeEach(
    LeafNodeTbs,
    members.map(({ leafIndex, leafNode }) => ({ ...leafNode, groupId, leafIndex })),
  )
  const messages = encodeEach(
    SignContent,
    contents.map((content) => ({ label, content })),
  )
  const verified = await crypto.verifyAll(
    members.map(({ leafNode: { signatureKey, signature } }, i) => ({
      publicKey: signatureKey,
      message: messages[i] as Bytes,
      signature,
      occurs: 'recurring',
    })),
  )
  if (!verified.every((valid) => valid)) throw invalidSignature()
}

function invalidSignature(): MlsError {
  return new MlsError('leaf-signature-invalid', 'the signature of a leaf node does not verify')
}

/** The capabilities that a group's needs are compared with: one leaf's or those of several. */
type Supported = Pick<Capabilities, 'extensions' | 'proposals' | 'credentials'>

export function supportsExtension({ extensions }: Supported, type: number): boolean {
  return (type > 0 && type <= defaultExtensionTypes) || extensions.includes(type)
}

export function supportsProposal({ proposals }: Supported, type: number): boolean {
  return (type > 0 && type <= defaultProposalTypes) || proposals.includes(type)
}

/** What a group demands of its members' leaves. */
export interface LeafRequirements {
  readonly cipherSuite: number
  readonly requiredCapabilities: RequiredCapabilities | undefined
  /** Types of the GroupContext's extensions, which all members must support (§12.1.7). */
  readonly groupExtensionTypes: readonly number[]
}

/**
 * RFC 9420 §7.3, the part that concerns a leaf by itself in its group.
 * @throws MlsError `leaf-…`, `extension-…`
 */
export function checkLeafNode(leafNode: LeafNodeContent, requirements: LeafRequirements): void {
  const { capabilities } = leafNode
  if (!isEncryptionKey(requirements.cipherSuite, leafNode.encryptionKey)) {
    throw new MlsError('leaf-key-invalid', 'nothing can be sealed to the key of a leaf node')
  }
  if (!capabilities.credentials.includes(leafNode.credential.credentialType)) {
    throw new MlsError('leaf-credential-unlisted', 'a leaf does not list its own credential type')
  }
  checkExtensions(leafNode.extensions, 'leaf-node')
  for (const { extensionType } of leafNode.extensions) {
    if (!supportsExtension(capabilities, extensionType)) {
      throw new MlsError(
        'leaf-extension-unlisted',
        `a leaf does not list extension ${extensionType}`,
      )
    }
  }
  if (
    !capabilities.versions.includes(ProtocolVersion.mls10) ||
    !capabilities.cipherSuites.includes(requirements.cipherSuite)
  ) {
    throw new MlsError('leaf-version-unsupported', "a leaf does not list the group's suite")
  }
  checkSupport(capabilities, requirements)
}

/**
 * RFC 9420 §7.3: whoever has these capabilities can follow the group.
 * @throws MlsError `leaf-capabilities-insufficient`
 */
export function checkSupport(
  supported: Supported,
  { requiredCapabilities, groupExtensionTypes }: LeafRequirements,
): void {
  const {
    extensionTypes = [],
    proposalTypes = [],
    credentialTypes = [],
  } = requiredCapabilities ?? {}
  const satisfied =
    groupExtensionTypes.every((type) => supportsExtension(supported, type)) &&
    extensionTypes.every((type) => supportsExtension(supported, type)) &&
    proposalTypes.every((type) => supportsProposal(supported, type)) &&
    credentialTypes.every((type) => supported.credentials.includes(type))
  if (!satisfied) {
    throw new MlsError('leaf-capabilities-insufficient', 'a leaf lacks a required capability')
  }
}
