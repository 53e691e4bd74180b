import { struct, uint16, vector } from '../../codec/tls.ts'
import { ConclaveError } from '../../error.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { ComponentType, ExtensionType } from '../../wire/registry.ts'
import { readComponentsList } from '../public/appDataDictionary.ts'
import { readExtension } from '../public/groupExtensions.ts'
import type { Member } from '../treesync/publicTree.ts'
import { readMediaTypes, sameMediaType } from './mediaType.ts'

/*
 * draft-ietf-mls-extensions, "Negotiating Extensions and Components"
 *
 * struct {
 *    WireFormat wire_formats<V>;
 * } WireFormats;
 *
 * WireFormats supported_wire_formats;
 * WireFormats required_wire_formats;
 */
const WireFormats = struct({ wireFormats: vector(uint16) })

/** What a GroupContext can require of its members beyond `required_capabilities`. */
export type Requirement = 'app-components' | 'safe-aad' | 'media-types' | 'wire-formats'

/**
 * What a GroupContext requires of its members beyond `required_capabilities`, and who does not
 * support it. Whoever adds members or changes the requirements looks here first; the draft leaves it
 * to the committer.
 * @throws MlsError `extension-malformed`, `app-data-malformed` for the GroupContext's own; a member
 * whose list cannot be read supports nothing
 */
export function unsupportedRequirements(
  groupExtensions: Extensions,
  members: readonly Member[],
): readonly { readonly leafIndex: LeafIndex; readonly lacks: readonly Requirement[] }[] {
  const components = componentsIn(ComponentType.appComponents)
  const safeAad = componentsIn(ComponentType.safeAad)
  const requiredFormats = wireFormatsIn(ExtensionType.requiredWireFormats)
  const supportedFormats = wireFormatsIn(ExtensionType.supportedWireFormats)
  const requirements = [
    requirement('app-components', components(groupExtensions), components),
    requirement('safe-aad', safeAad(groupExtensions), safeAad),
    requirement('media-types', readMediaTypes(groupExtensions), readMediaTypes, sameMediaType),
    requirement('wire-formats', requiredFormats(groupExtensions), supportedFormats),
  ]
  return members
    .map(({ leafIndex, leafNode: { extensions } }) => {
      const unmet = requirements.filter((requirement) => !requirement.isMetBy(extensions))
      return { leafIndex, lacks: unmet.map(({ name }) => name) }
    })
    .filter(({ lacks }) => lacks.length > 0)
}

type Read<T> = (extensions: Extensions) => readonly T[] | undefined

function requirement<T>(
  name: Requirement,
  required: readonly T[] | undefined,
  readSupported: Read<T>,
  same: (a: T, b: T) => boolean = (a, b) => a === b,
) {
  return {
    name,
    isMetBy: (leafExtensions: Extensions): boolean => {
      if (required === undefined) return true
      const supported = readOrNothing(readSupported, leafExtensions)
      return required.every((each) => supported.some((one) => same(each, one)))
    },
  }
}

function readOrNothing<T>(read: Read<T>, extensions: Extensions): readonly T[] {
  try {
    return read(extensions) ?? []
  } catch (error) {
    if (error instanceof ConclaveError) return []
    throw error
  }
}

function componentsIn(component: number): Read<number> {
  return (extensions) => readComponentsList(extensions, component)
}

function wireFormatsIn(extensionType: number): Read<number> {
  return (extensions) => readExtension(extensions, extensionType, WireFormats)?.wireFormats
}
