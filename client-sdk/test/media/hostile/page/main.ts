import { RelayedCall } from './relayedCall.ts'

declare global {
  interface Window {
    RelayedCall: typeof RelayedCall
    relayedCall: RelayedCall
  }
}

window.RelayedCall = RelayedCall
