export { checkLeafNode, type LeafRequirements, verifyLeafNodeSignature } from './leafNode.ts'
export { type Member, type PathStep, PublicTree } from './publicTree.ts'
export { resolution } from './subtree.ts'
export { checkMembers, validateTree } from './treeValidation.ts'
