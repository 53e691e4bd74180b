import type { Extensions } from '../../wire/extension.ts'
import { ExtensionType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'

export type ExtensionPlace = 'leaf-node' | 'key-package' | 'group-context' | 'group-info'

/** RFC 9420 §17.3, "Message(s)": where each extension of the RFC's own may stand. */
const places: ReadonlyMap<number, ExtensionPlace> = new Map<number, ExtensionPlace>([
  [ExtensionType.applicationId, 'leaf-node'],
  [ExtensionType.ratchetTree, 'group-info'],
  [ExtensionType.requiredCapabilities, 'group-context'],
  [ExtensionType.externalPub, 'group-info'],
  [ExtensionType.externalSenders, 'group-context'],
  // draft-ietf-mls-extensions, "MLS Extension Types"
  [ExtensionType.supportedWireFormats, 'leaf-node'],
  [ExtensionType.requiredWireFormats, 'group-context'],
])

/**
 * RFC 9420 §13.4: at most one extension of each type, and each in its place. Unknown types are
 * nobody's concern here.
 * @throws MlsError `extension-duplicate`, `extension-misplaced`
 */
export function checkExtensions(extensions: Extensions, place: ExtensionPlace): void {
  if (new Set(extensions.map((e) => e.extensionType)).size < extensions.length) {
    throw new MlsError('extension-duplicate', 'an extension type occurs twice')
  }
  for (const { extensionType } of extensions) {
    if ((places.get(extensionType) ?? place) !== place) {
      throw new MlsError('extension-misplaced', `extension ${extensionType} in a ${place}`)
    }
  }
}
