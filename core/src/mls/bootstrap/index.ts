export { greaseExtensions, greaseLeaf, greaseValues } from './grease.ts'
export {
  createKeyPackage,
  type KeyPackageBundle,
  type KeyPackageOptions,
  lifetimeFrom,
  type OwnLeaf,
  wipeKeyPackage,
} from './keyPackageBundle.ts'
export { restoreKeyPackage, storeKeyPackage } from './keyPackageState.ts'
export { capabilitiesOf, createBasicLeaf } from './ownLeaf.ts'
