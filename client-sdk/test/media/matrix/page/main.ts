import { CallEnd } from './callEnd.ts'

declare global {
  interface Window {
    CallEnd: typeof CallEnd
    end: CallEnd
  }
}

window.CallEnd = CallEnd
