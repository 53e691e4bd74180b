import type { Bytes } from '../codec/bytes.ts'
import { encode, opaque } from '../codec/tls.ts'
import { readExtension } from '../mls/public/groupExtensions.ts'
import type { Extension } from '../wire/extension.ts'
import type { LeafNode } from '../wire/ratchetTree.ts'
import { ExtensionType } from '../wire/registry.ts'

const ApplicationId = opaque()

/** RFC 9420 §5.3.3: a name of the application's for a client, in the extensions of its leaf. */
export function applicationIdExtension(id: Bytes): Extension {
  return {
    extensionType: ExtensionType.applicationId,
    extensionData: encode(ApplicationId, id),
  }
}

/**
 * What a client calls itself. Nobody has confirmed it, and others may say the same.
 * @throws MlsError `extension-malformed`
 */
export function applicationIdOf({ extensions }: LeafNode): Bytes | undefined {
  return readExtension(extensions, ExtensionType.applicationId, ApplicationId)
}
