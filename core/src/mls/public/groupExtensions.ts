import { type Codec, decode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import {
  type Extensions,
  type ExternalSenders,
  ExternalSenders as ExternalSendersCodec,
  type RequiredCapabilities,
  RequiredCapabilities as RequiredCapabilitiesCodec,
} from '../../wire/extension.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { ExtensionType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import type { LeafRequirements } from '../treesync/leafNode.ts'
import type { PublicEnvironment } from './policy.ts'

/**
 * The extension of `type`, decoded, or undefined where there is none.
 * @throws MlsError `extension-malformed`
 */
export function readExtension<T>(
  extensions: Extensions,
  type: number,
  codec: Codec<T>,
): T | undefined {
  const extension = extensions.find((e) => e.extensionType === type)
  if (extension === undefined) return undefined
  try {
    return decode(codec, extension.extensionData)
  } catch (cause) {
    throw new MlsError('extension-malformed', `extension ${type} cannot be read`, { cause })
  }
}

/**
 * Who may propose without being a member (RFC 9420 §12.1.8.1), by sender index.
 * @throws MlsError `extension-malformed`
 */
export function externalSenders(extensions: Extensions): ExternalSenders {
  return readExtension(extensions, ExtensionType.externalSenders, ExternalSendersCodec) ?? []
}

/**
 * RFC 9420 §5.3.1: the application judges those who may propose from outside.
 * @throws what the policy throws
 */
export async function judgeExternalSenders(
  { policy }: PublicEnvironment,
  crypto: PublicSuite,
  context: GroupContext,
): Promise<void> {
  for (const sender of externalSenders(context.extensions)) {
    await policy.checkExternalSender?.(crypto, sender, context)
  }
}

/**
 * What every member has to support (RFC 9420 §11.1).
 * @throws MlsError `extension-malformed`
 */
export function requiredCapabilities(extensions: Extensions): RequiredCapabilities | undefined {
  return readExtension(extensions, ExtensionType.requiredCapabilities, RequiredCapabilitiesCodec)
}

export function leafRequirements({ cipherSuite, extensions }: GroupContext): LeafRequirements {
  return {
    cipherSuite,
    requiredCapabilities: requiredCapabilities(extensions),
    groupExtensionTypes: extensions.map((e) => e.extensionType),
  }
}
