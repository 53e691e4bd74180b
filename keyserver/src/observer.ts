import type { Bytes } from '@conclave/core/codec'
import type { WelcomePart } from './store/store.ts'

/** Somebody of a group, as its public state shows. */
export interface ObservedMember {
  readonly leaf: number
  readonly identity: string
  readonly deviceKey: Bytes
}

export interface ObservedGroup {
  readonly meetingId: string
  readonly groupId: Bytes
  readonly epoch: number
}

/**
 * What happens in the keyserver, for metrics, webhooks and mailboxes. Each event is told once, by
 * the instance that brought it about; of a commit for which the store did not answer, once it shows.
 * Observers must not throw and are not waited for.
 */
export interface KeyserverObserver {
  meetingStarted(group: ObservedGroup, founder: ObservedMember): void
  /** The meeting goes on in this group, in which everyone is who was in the one before. */
  meetingContinued(group: ObservedGroup, before: Bytes): void
  meetingEnded(group: ObservedGroup, reason: string): void
  /** `ms`: from the request to the point where it was on its way to everyone. */
  committed(
    group: ObservedGroup,
    commit: {
      readonly seq: number
      readonly added: readonly ObservedMember[]
      readonly removed: readonly ObservedMember[]
      readonly welcomeParts: readonly WelcomePart[]
      readonly logBytes: number
      readonly ms: number
    },
  ): void
  proposed(group: ObservedGroup, proposal: { readonly seq: number; readonly ms: number }): void
  /** A request was refused, or (`internal`) failed. */
  refused(request: string, code: string, detail: string | undefined): void
  /** A connection was cut: `rate-limited`, `slow-consumer`, `token-expired`, `malformed`. */
  cut(reason: string): void
}

export const silentObserver: KeyserverObserver = {
  meetingStarted: () => {},
  meetingContinued: () => {},
  meetingEnded: () => {},
  committed: () => {},
  proposed: () => {},
  refused: () => {},
  cut: () => {},
}

/** Tells each of them. */
export function observers(...all: readonly KeyserverObserver[]): KeyserverObserver {
  const tellAll =
    <K extends keyof KeyserverObserver>(name: K) =>
    (...event: Parameters<KeyserverObserver[K]>): void => {
      for (const one of all) (one[name] as (...told: typeof event) => void)(...event)
    }
  return {
    meetingStarted: tellAll('meetingStarted'),
    meetingContinued: tellAll('meetingContinued'),
    meetingEnded: tellAll('meetingEnded'),
    committed: tellAll('committed'),
    proposed: tellAll('proposed'),
    refused: tellAll('refused'),
    cut: tellAll('cut'),
  }
}
