import type { Bytes } from '../../codec/bytes.ts'
import { encode, type Infer, opaque, struct, vector } from '../../codec/tls.ts'
import type { Extensions } from '../../wire/extension.ts'
import { ComponentType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import {
  ComponentId,
  decodeAs,
  isOrdered,
  readComponentsList,
} from '../public/appDataDictionary.ts'

/*
 * draft-ietf-mls-extensions, "Safe Additional Authenticated Data (AAD)"
 *
 * struct {
 *     ComponentID component_id;
 *     opaque aad_item_data<V>;
 * } SafeAADItem;
 *
 * struct {
 *     SafeAADItem aad_items<V>;
 * } SafeAAD;
 */
export const SafeAadItem = struct({ componentId: ComponentId, aadItemData: opaque() })
export type SafeAadItem = Infer<typeof SafeAadItem>

const SafeAad = struct({ aadItems: vector(SafeAadItem) })

/**
 * Whether the `authenticated_data` of every message of a group is a SafeAAD: the GroupContext, whose
 * extensions these are, has the component `safe_aad`, be its list empty.
 * @throws MlsError `extension-malformed`, `app-data-malformed`
 */
export function usesSafeAad(groupExtensions: Extensions): boolean {
  return readComponentsList(groupExtensions, ComponentType.safeAad) !== undefined
}

/**
 * `authenticated_data` of these items, in any order; also of none.
 * @throws MlsError `safe-aad-malformed` where a component occurs twice
 */
export function encodeSafeAad(items: readonly SafeAadItem[]): Bytes {
  const aadItems = items.toSorted((a, b) => a.componentId - b.componentId)
  checkOrder(aadItems)
  return encode(SafeAad, { aadItems })
}

/**
 * The items of a message's whole `authenticated_data`.
 * @throws MlsError `safe-aad-malformed`
 */
export function decodeSafeAad(authenticatedData: Bytes): readonly SafeAadItem[] {
  const { aadItems } = decodeAs('safe-aad-malformed', SafeAad, authenticatedData)
  checkOrder(aadItems)
  return aadItems
}

function checkOrder(items: readonly SafeAadItem[]): void {
  if (!isOrdered(items)) {
    throw new MlsError('safe-aad-malformed', 'components out of order, or one of them twice')
  }
}
