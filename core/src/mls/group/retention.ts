/**
 * What a member keeps of epochs that are over. Whoever steals its state can open what is kept, so
 * that these are the bounds of forward secrecy.
 */
export interface Retention {
  /** Epochs of which late application messages can still be opened. */
  readonly pastEpochs: number
  /** Milliseconds after which an epoch's message keys go, also where no other epoch has followed. */
  readonly pastEpochMs: number
  /** Epochs of which a later one, or another group, can still be shown that we were in them (§8.6). */
  readonly resumptionPsks: number
}

/** Three epochs, of which message keys go after a minute. */
export const defaultRetention: Retention = {
  pastEpochs: 3,
  pastEpochMs: 60_000,
  resumptionPsks: 3,
}

/**
 * Messages of epochs to come, which nobody can authenticate yet. Anybody on the way can send some,
 * so that their number, size and time are bounded.
 */
export interface FutureLimits {
  /** How many epochs ahead a message may be. */
  readonly epochs: number
  readonly messages: number
  readonly bytes: number
  readonly milliseconds: number
}

/** 64 messages of at most eight epochs ahead, 1 MiB together, for half a minute. */
export const defaultFutureLimits: FutureLimits = {
  epochs: 8,
  messages: 64,
  bytes: 1 << 20,
  milliseconds: 30_000,
}
