/** Core as an application ships it; infra/checks/bundledCore.mjs makes it. */
declare module 'virtual:bundled-core' {
  export * as codec from '@conclave/core/codec'
  export * as secrets from '@conclave/core/crypto/secret'
  export * as mls from '@conclave/core/mls'
  export * as wire from '@conclave/core/wire'
}
