/** Core as an application ships it; infra/checks/bundledCore.mjs makes it. */
declare module 'virtual:bundled-core' {
  export * as codec from '@conclave/core/codec'
  export * as secrets from '@conclave/core/crypto/secret'
  export * as bootstrap from '@conclave/core/mls/bootstrap'
  export * as groups from '@conclave/core/mls/group'
  export * as rules from '@conclave/core/mls/public'
  export * as wire from '@conclave/core/wire'
}
