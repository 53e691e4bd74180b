import { Loopback } from './loopback.ts'

declare global {
  interface Window {
    Loopback: typeof Loopback
    call: Loopback
  }
}

window.Loopback = Loopback
