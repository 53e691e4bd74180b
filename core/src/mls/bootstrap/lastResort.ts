import { emptyBytes } from '../../codec/bytes.ts'
import { encode, opaque, struct, uint16, vector } from '../../codec/tls.ts'
import type { Extension } from '../../wire/extension.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import { readExtension } from '../public/groupExtensions.ts'

/** draft-ietf-mls-extensions, "app_data_dictionary MLS Extension" and "MLS Component Types" */
const appDataDictionaryType = 0x0006
const lastResortKeyPackage = 0x0004

/*
 * draft-ietf-mls-extensions, "Application Data in Extensions"
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
const AppDataDictionary = struct({
  componentData: vector(struct({ componentId: uint16, data: opaque() })),
})

/** draft-ietf-mls-extensions, "Last-Resort KeyPackages": the component has no data. */
export const lastResortExtension: Extension = {
  extensionType: appDataDictionaryType,
  extensionData: encode(AppDataDictionary, {
    componentData: [{ componentId: lastResortKeyPackage, data: emptyBytes }],
  }),
}

/**
 * Whether a KeyPackage says that it may be used more than once.
 * @throws MlsError `extension-malformed`
 */
export function isLastResort({ extensions }: KeyPackage): boolean {
  const dictionary = readExtension(extensions, appDataDictionaryType, AppDataDictionary)
  return (dictionary?.componentData ?? []).some((c) => c.componentId === lastResortKeyPackage)
}
