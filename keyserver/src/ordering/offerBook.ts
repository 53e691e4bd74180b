import type { Bytes } from '@conclave/core/codec'
import { type PackedReplyTo, packKeyPackages, type RequestOf } from '@conclave/core/delivery'
import type { LeafIndex } from '@conclave/core/wire'
import type { Offer } from '../store/store.ts'
import { type Attendance, type GroupHost, leafBytes, listNoticeIntervalMs } from './attendance.ts'
import type { Participant } from './audience.ts'
import {
  type ContinuationUpload,
  type VerifiedContinuation,
  verifyContinuation,
} from './continuation.ts'
import type { GroupLog } from './groupLog.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { type NextGroup, nextGroupOf } from './nextGroup.ts'
import { offersWanted, verifyOffer } from './offer.ts'
import { ended, type PackedRefusal, refuse, refuseFor } from './orderingError.ts'
import { PacedTask } from './pacedTask.ts'

/**
 * What members offer to be taken along with where another group is to continue theirs. Offers are
 * the store's, and are for a leaf and a suite: whichever ReInit is committed in the end, they do.
 */
export class OfferBook {
  readonly #log: GroupLog
  readonly #environment: MeetingEnvironment
  readonly #attendance: Attendance
  readonly #notice: PacedTask

  constructor(
    log: GroupLog,
    environment: MeetingEnvironment,
    host: GroupHost,
    attendance: Attendance,
  ) {
    this.#log = log
    this.#environment = environment
    this.#attendance = attendance
    this.#notice = new PacedTask(environment.clock, listNoticeIntervalMs, () =>
      host.later(() => this.#tell()),
    )
  }

  async offer(
    participant: Participant,
    { keyPackage }: RequestOf<'offer'>,
  ): Promise<PackedReplyTo<'offer'>> {
    const { store, clock } = this.#environment
    const asked = this.#asked(participant)
    if (!asked.ok) return asked
    const { next, leaf } = asked
    const { publicGroup, epoch, frozenSince } = this.#log.followed
    const now = clock.now()
    let offer: Offer
    try {
      offer = await verifyOffer(keyPackage, publicGroup, next, leaf, now)
    } catch (error) {
      return refuseFor('key-package-invalid', error)
    }
    const wanted = offersWanted(publicGroup, next, now)
    const final = frozenSince !== undefined
    const put = await store.putOffer(this.#log.key, epoch, offer, { wanted, final })
    switch (put.outcome) {
      case 'offered':
        this.#notice.request()
        return { ok: true, missing: put.missing }
      case 'key-taken':
        return refuse('key-package-invalid', 'another leaf has offered one of its keys', {
          detail: 'offer-reuses-key',
        })
      case 'offered-before':
        return refuse('key-package-invalid', 'the ReInit has been committed with another', {
          detail: 'offer-final',
        })
      case 'epoch-mismatch':
        await this.#log.catchUp()
        return refuse('epoch-mismatch', `the group is in epoch ${this.#log.followed.epoch}`)
      case 'group-unknown':
        return ended()
    }
  }

  async offers(participant: Participant): Promise<PackedReplyTo<'offers'>> {
    const asked = this.#asked(participant, { agreed: true })
    if (!asked.ok) return asked
    const read = await this.#read(asked.next)
    return read.ok ? { ok: true, keyPackages: packKeyPackages([...read.offered.values()]) } : read
  }

  /** The group by which the participant would continue this one. */
  async continuation(
    participant: Participant,
    upload: ContinuationUpload,
    options: GroupLogOptions,
  ): Promise<({ readonly ok: true } & VerifiedContinuation) | PackedRefusal> {
    const asked = this.#asked(participant, { agreed: true })
    if (!asked.ok) return asked
    const { next, leaf } = asked
    const read = await this.#read(next)
    if (!read.ok) return read
    const view = await this.#attendance.view()
    if (view === undefined) return ended()
    const { followed } = this.#log
    const { offered } = read
    const { requests } = view
    try {
      const verifying = verifyContinuation(followed, next, leaf, offered, upload, requests, options)
      return { ok: true, ...(await verifying) }
    } catch (error) {
      return refuseFor('message-invalid', error)
    }
  }

  /** A ReInit has been proposed, or somebody has offered: everyone hears who has yet to. */
  changed(): void {
    this.#notice.request()
  }

  stop(): void {
    this.#notice.stop()
  }

  /** @param options `agreed`: only where the ReInit has been committed */
  #asked(
    participant: Participant,
    { agreed = false }: { readonly agreed?: boolean } = {},
  ): { readonly ok: true; readonly next: NextGroup; readonly leaf: LeafIndex } | PackedRefusal {
    const leaf = this.#attendance.leafOf(participant)
    if (leaf === undefined) {
      return refuse('presence-invalid', 'the connection speaks for no leaf of the group')
    }
    const { publicGroup } = this.#log.followed
    const next = agreed ? publicGroup.reInit : nextGroupOf(publicGroup)
    if (next === undefined) {
      const what = agreed ? 'committed' : 'proposed'
      return refuse('reinit-unknown', `no ReInit has been ${what} in this epoch`)
    }
    return { ok: true, next, leaf }
  }

  /** By leaf, of a group that has been reinitialised. */
  async #read(
    next: NextGroup,
  ): Promise<
    { readonly ok: true; readonly offered: ReadonlyMap<LeafIndex, Bytes> } | PackedRefusal
  > {
    const { store, clock } = this.#environment
    const { publicGroup } = this.#log.followed
    const wanted = offersWanted(publicGroup, next, clock.now())
    const missing = await store.missingOffers(this.#log.key, wanted)
    if (missing === undefined) return ended()
    const members = publicGroup.tree.leaves()
    const read = await store.readOffers(this.#log.key, wanted.leaves)
    if (missing.length > 0 || read === undefined) {
      // Lost by the store, or expired: whoever is named may offer again.
      return refuse('reinit-unready', 'not everyone has an offer', { leaves: missing })
    }
    const offered = members.map(({ firstLeaf }, i) => [firstLeaf, read[i]] as const)
    return { ok: true, offered: new Map(offered as [LeafIndex, Bytes][]) }
  }

  async #tell(): Promise<void> {
    const { store, audience, clock } = this.#environment
    const { publicGroup } = this.#log.followed
    const next = nextGroupOf(publicGroup)
    if (next === undefined) return
    const wanted = offersWanted(publicGroup, next, clock.now())
    const missing = await store.missingOffers(this.#log.key, wanted)
    if (missing === undefined) return
    const { meetingId, groupId } = this.#log.key
    audience.offered(meetingId, { groupId, missing })
    const hearers = publicGroup.tree.memberCount
    this.#notice.weigh({ bytes: leafBytes * missing.length, hearers })
  }
}
