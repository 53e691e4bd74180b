import { type KeyserverObserver, silentObserver } from '../../src/observer.ts'

interface Refused {
  readonly request: string
  readonly code: string
  readonly detail: string | undefined
}

/** An observer that remembers what was refused and cut. */
export function recordingObserver() {
  const refused: Refused[] = []
  const cut: string[] = []
  const observer: KeyserverObserver = {
    ...silentObserver,
    refused: (request, code, detail) => refused.push({ request, code, detail }),
    cut: (reason) => cut.push(reason),
  }
  return { observer, refused, cut }
}
