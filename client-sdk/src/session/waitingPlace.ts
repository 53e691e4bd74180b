import type { Clock } from '@conclave/core'
import { type KeyPackageBundle, wipeKeyPackage } from '@conclave/core/mls/bootstrap'

/** A KeyPackage that is still waiting is replaced before it expires, in milliseconds. */
const renewalMs = 4 * 60_000

/** The KeyPackage that we wait with, and the clock that runs for it. */
export class WaitingPlace {
  readonly #clock: Clock
  readonly #renew: () => void
  #bundle: KeyPackageBundle | undefined
  #cancelRenewal: (() => void) | undefined

  /** `renew` is called when the KeyPackage has waited for too long. */
  constructor(clock: Clock, renew: () => void) {
    this.#clock = clock
    this.#renew = renew
  }

  get bundle(): KeyPackageBundle | undefined {
    return this.#bundle
  }

  waitWith(bundle: KeyPackageBundle): void {
    this.forget()
    this.#bundle = bundle
    this.#cancelRenewal = this.#clock.setTimer(renewalMs, this.#renew)
  }

  /** A group has taken over the KeyPackage's keys. */
  admitted(): void {
    this.#bundle = undefined
    this.forget()
  }

  /** Wipes the private keys: nobody shall be let in with them. */
  forget(): void {
    this.#cancelRenewal?.()
    this.#cancelRenewal = undefined
    if (this.#bundle !== undefined) wipeKeyPackage(this.#bundle)
    this.#bundle = undefined
  }
}
