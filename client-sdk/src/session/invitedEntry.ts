import { ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { Group, GroupEnvironment } from '@conclave/core/mls/group'
import type { Invitation, WaitingWelcome } from '../directory/invitation.ts'
import { wipeTaken } from '../directory/keyPackageShelf.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { joinByWelcome } from './enterMeeting.ts'
import type { MeetingLeaf } from './identity.ts'
import { isTransient, isUnreachable } from './sessionError.ts'

export interface InvitedEntryOptions {
  readonly invitation: Invitation
  readonly groups: GroupEnvironment
  readonly link: Pick<DeliveryLink, 'request'>
  readonly problem: (error: ConclaveError) => void
}

export interface EnteredByInvitation {
  readonly group: Group
  /** The entry of the commit that has added us. */
  readonly seq: number
  readonly own: MeetingLeaf
}

/**
 * The way in by a Welcome that has waited for us. It may lead into another group than the meeting
 * has by now, or into an epoch whose tree nobody serves any more: then there are the ways that
 * everybody has.
 */
export class InvitedEntry {
  readonly #options: InvitedEntryOptions
  #begun = false
  #welcome: WaitingWelcome | undefined
  #closed = false

  constructor(options: InvitedEntryOptions) {
    this.#options = options
  }

  /**
   * Enters the group that the meeting has now; undefined where the invitation does not lead there,
   * or has been used. To be called again after an error that goes by.
   * @throws SessionError `keyserver-unreachable`, or one that is transient
   */
  async enter(current: Bytes | undefined): Promise<EnteredByInvitation | undefined> {
    if (!this.#begun) await this.#begin()
    if (this.#welcome === undefined) return undefined
    const { mail, bundle, signatureKey } = this.#welcome
    if (current === undefined || !equalBytes(mail.groupId, current)) {
      this.close()
      return undefined
    }
    const { groups, link, problem } = this.#options
    try {
      const group = await joinByWelcome(groups, link, bundle, mail)
      const { signer } = bundle
      const own = { ...bundle.keyPackage.leafNode, signer, signatureKey: signatureKey.copy() }
      // The group has taken over the keys, but for those of a last resort.
      if (!bundle.lastResort) {
        signatureKey.wipe()
        this.#welcome = undefined
      }
      return { group, seq: mail.seq, own }
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      if (isTransient(error) || isUnreachable(error)) throw error
      if (!this.#closed) problem(error)
      this.close()
      return undefined
    }
  }

  /** Wipes what was to let us in. */
  close(): void {
    this.#closed = true
    if (this.#welcome !== undefined) wipeTaken(this.#welcome)
    this.#welcome = undefined
  }

  async #begin(): Promise<void> {
    this.#begun = true
    try {
      const welcome = await this.#options.invitation.take()
      if (!this.#closed) this.#welcome = welcome
      else if (welcome !== undefined) wipeTaken(welcome)
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      this.#options.problem(error)
    }
  }
}
