import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { Mail } from '@conclave/core/delivery'
import { type TakenKeyPackage, wipeTaken } from './keyPackageShelf.ts'

/** A Welcome that waited for us, with the private keys that it is for: what one enters by. */
export interface WaitingWelcome extends TakenKeyPackage {
  readonly mail: Mail
}

/**
 * Somebody has added this device to a meeting's group while it was away. Until it has entered, all
 * of it is the keyserver's word. Whoever joins with it enters by its Welcome if that still leads
 * into the group, and as anybody else does if not.
 */
export class Invitation {
  readonly #mail: Mail
  readonly #take: () => Promise<TakenKeyPackage | undefined>
  #taken = false
  /** Who is invited. */
  readonly identity: string

  /** `take` gives the private keys, once. */
  constructor(identity: string, mail: Mail, take: () => Promise<TakenKeyPackage | undefined>) {
    this.identity = identity
    this.#mail = mail
    this.#take = take
  }

  get meetingId(): string {
    return this.#mail.meetingId
  }

  get groupId(): Bytes {
    return this.#mail.groupId.slice()
  }

  /** Whether it leads into this group. */
  isFor(groupId: Bytes): boolean {
    return equalBytes(this.#mail.groupId, groupId)
  }

  /**
   * Takes the Welcome out of the mailbox and its private keys out of the store; undefined where
   * that has been done before, in any tab. The keys are the caller's to wipe.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async take(): Promise<WaitingWelcome | undefined> {
    if (this.#taken) return undefined
    this.#taken = true
    const taken = await this.#take()
    return taken && { ...taken, mail: this.#mail }
  }

  /**
   * Puts it away unused; of no effect once it was taken. Nobody in the meeting is told.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  async decline(): Promise<void> {
    const taken = await this.take()
    if (taken !== undefined) wipeTaken(taken)
  }
}
