export {
  createKeyPackage,
  type KeyPackageBundle,
  type OwnLeaf,
  wipeKeyPackage,
} from './keyPackageBundle.ts'
