import type { Bytes } from '../../codec/bytes.ts'
import {
  type Codec,
  decode,
  encode,
  type Infer,
  opaque,
  struct,
  uint16,
  vector,
} from '../../codec/tls.ts'
import { ConclaveError } from '../../error.ts'
import type { Extension, Extensions } from '../../wire/extension.ts'
import { ExtensionType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { readExtension } from './groupExtensions.ts'

/*
 * draft-ietf-mls-extensions, "Attaching Application Data to MLS Messages"
 *
 * uint16 ComponentID;
 *
 * struct {
 *     ComponentID component_id;
 *     opaque data<V>;
 * } ComponentData;
 *
 * struct {
 *     ComponentData component_data<V>;
 * } AppDataDictionary;
 */
export const ComponentId = uint16
export const ComponentData = struct({ componentId: ComponentId, data: opaque() })
export type ComponentData = Infer<typeof ComponentData>

const AppDataDictionary = struct({ componentData: vector(ComponentData) })

/*
 * draft-ietf-mls-extensions, "Negotiating Extensions and Components"
 *
 * struct {
 *     ComponentID component_ids<V>;
 * } ComponentsList;
 *
 * ComponentsList safe_aad;
 * ComponentsList app_components;
 */
const ComponentsList = struct({ componentIds: vector(ComponentId) })

/** The draft's order for everything that is listed by component: increasing, each at most once. */
export function isOrdered(items: readonly { readonly componentId: number }[]): boolean {
  return items.every((item, i) => i === 0 || (items[i - 1]?.componentId ?? 0) < item.componentId)
}

/**
 * The `app_data_dictionary` of a GroupContext, LeafNode, KeyPackage or GroupInfo with these
 * extensions; empty where there is none.
 * @throws MlsError `extension-malformed`
 */
export function readAppData(extensions: Extensions): readonly ComponentData[] {
  const { appDataDictionary } = ExtensionType
  const dictionary = readExtension(extensions, appDataDictionary, AppDataDictionary)
  const componentData = dictionary?.componentData ?? []
  if (!isOrdered(componentData)) {
    throw new MlsError('extension-malformed', 'components out of order in app_data_dictionary')
  }
  return componentData
}

/**
 * The `app_data_dictionary` with this data, in any order.
 * @throws MlsError `app-data-malformed` where a component occurs twice
 */
export function appDataExtension(componentData: readonly ComponentData[]): Extension {
  const ordered = componentData.toSorted((a, b) => a.componentId - b.componentId)
  if (!isOrdered(ordered)) throw new MlsError('app-data-malformed', 'a component occurs twice')
  return {
    extensionType: ExtensionType.appDataDictionary,
    extensionData: encode(AppDataDictionary, { componentData: ordered }),
  }
}

/**
 * What `component` has in these extensions, decoded.
 * @throws MlsError `extension-malformed`, or `app-data-malformed` for data that cannot be read
 */
export function readComponent<T>(
  extensions: Extensions,
  component: number,
  codec: Codec<T>,
): T | undefined {
  const found = readAppData(extensions).find(({ componentId }) => componentId === component)
  return found && decodeAs('app-data-malformed', codec, found.data)
}

/**
 * `app_components` or `safe_aad`: in a LeafNode what its client supports, in a GroupContext what
 * every member has to support.
 * @throws MlsError `extension-malformed`, `app-data-malformed`
 */
export function readComponentsList(
  extensions: Extensions,
  component: number,
): readonly number[] | undefined {
  return readComponent(extensions, component, ComponentsList)?.componentIds
}

/** The data of `app_components` or `safe_aad`. */
export function componentsList(component: number, componentIds: readonly number[]): ComponentData {
  return { componentId: component, data: encode(ComponentsList, { componentIds }) }
}

/** @throws MlsError with `code` where the bytes cannot be read */
export function decodeAs<T>(
  code: 'app-data-malformed' | 'safe-aad-malformed' | 'application-framing-malformed',
  codec: Codec<T>,
  bytes: Bytes,
): T {
  try {
    return decode(codec, bytes)
  } catch (cause) {
    if (!(cause instanceof ConclaveError)) throw cause
    throw new MlsError(code, 'the bytes do not have the form that the draft gives them', { cause })
  }
}
