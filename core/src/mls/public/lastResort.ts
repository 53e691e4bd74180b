import { emptyBytes } from '../../codec/bytes.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import { ComponentType, ExtensionType } from '../../wire/registry.ts'
import { appDataExtension, readAppData } from './appDataDictionary.ts'

/**
 * draft-ietf-mls-extensions, "Last-Resort KeyPackages": a component without data beside those that
 * the extensions have already.
 * @throws MlsError `extension-malformed`, `app-data-malformed`
 */
export function markLastResort(extensions: Extensions): Extensions {
  const mark = { componentId: ComponentType.lastResortKeyPackage, data: emptyBytes }
  return [
    ...extensions.filter((e) => e.extensionType !== ExtensionType.appDataDictionary),
    appDataExtension([...readAppData(extensions), mark]),
  ]
}

/**
 * Whether a KeyPackage says that it may be used more than once.
 * @throws MlsError `extension-malformed`
 */
export function isLastResort({ extensions }: KeyPackage): boolean {
  return readAppData(extensions).some(
    ({ componentId }) => componentId === ComponentType.lastResortKeyPackage,
  )
}
