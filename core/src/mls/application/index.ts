export {
  appDataExtension,
  type ComponentData,
  componentsList,
  readAppData,
  readComponent,
  readComponentsList,
} from '../public/appDataDictionary.ts'
export {
  type ApplicationFraming,
  frameApplicationData,
  unframeApplicationData,
} from './applicationFraming.ts'
export * from './componentLabel.ts'
export {
  type MediaType,
  mediaType,
  mediaTypesComponent,
  readMediaTypes,
  sameMediaType,
} from './mediaType.ts'
export { type Requirement, unsupportedRequirements } from './requiredSupport.ts'
export { decodeSafeAad, encodeSafeAad, type SafeAadItem, usesSafeAad } from './safeAad.ts'
export { SafeExporter } from './safeExporter.ts'
