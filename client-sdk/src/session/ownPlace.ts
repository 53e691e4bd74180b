import { ConclaveError } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { SecretSuite, Signer } from '@conclave/core/crypto/secret'
import { Group, type GroupEnvironment } from '@conclave/core/mls/group'
import {
  deviceSigner,
  freshSignatureKey,
  type MeetingIdentity,
  type MeetingLeaf,
  meetingLeaf,
  suitesFor,
} from './identity.ts'
import { wipeNext } from './keptNext.ts'
import { type KeptMembership, wipeMembership } from './keptPlace.ts'
import { Membership } from './membership.ts'
import { forgetNext, keptNext, type NextPlace, restoredNext } from './nextPlace.ts'
import type { SessionEnvironment } from './sessionEnvironment.ts'
import { SessionError } from './sessionError.ts'
import { type Found, SessionStorage, wipeFound } from './sessionStorage.ts'
import type { SessionStore } from './store.ts'

export interface OwnPlaceOptions {
  readonly meetingId: string
  readonly identity: MeetingIdentity
  readonly environment: SessionEnvironment
  readonly suite: SecretSuite
  readonly groups: GroupEnvironment
  readonly problem: (error: ConclaveError) => void
}

/** What an earlier process had in a group that goes on, or that another may continue. */
export interface ResumedPlace {
  readonly groupId: Bytes
  readonly own: MeetingLeaf
  /** The state to go on from; where there is none, the place has to be taken again. */
  readonly membership: Membership | undefined
  /** The newest epoch that we have been in: the group may be entered from there on. */
  readonly minEpoch: bigint
  /** What lets us into the group that continues this one. */
  readonly next: NextPlace | undefined
}

/** Our leaf in a meeting, and what is kept of our place there so that it outlasts the process. */
export class OwnPlace {
  readonly #options: OwnPlaceOptions
  readonly #storage: SessionStorage
  #isOpen = false
  #ended = false
  #found: Found | undefined
  #device: Signer | undefined
  #own: MeetingLeaf | undefined

  constructor(options: OwnPlaceOptions) {
    const { meetingId, identity, environment, suite, problem } = options
    const { store, clock } = environment
    this.#options = options
    this.#storage = new SessionStorage({
      crypto: suite,
      store,
      clock,
      meetingId,
      identity,
      problem,
    })
  }

  /** The leaf that we have in the group, or take again. */
  get own(): MeetingLeaf | undefined {
    return this.#own
  }

  /** For what belongs to this place; undefined until it is open. */
  get store(): SessionStore | undefined {
    return this.#storage.store
  }

  /**
   * Takes up what there is in the store; of no effect once it has been done.
   * @throws SessionError `slots-taken`, `store-…`, `platform-unsupported`
   */
  async open(): Promise<void> {
    if (this.#isOpen) return
    this.#found = await this.#storage.open()
    this.#isOpen = true
  }

  /**
   * Our place in this group or in the one that it may continue, where an earlier process had one; the
   * second time nothing.
   * @throws SessionError `store-…`, `session-ended`
   */
  async resume(groupId: Bytes | undefined): Promise<ResumedPlace | undefined> {
    const found = this.#found
    if (found === undefined) return undefined
    this.#found = undefined
    const { place, membership } = found
    const isThis = groupId !== undefined && equalBytes(groupId, place.groupId)
    const next = await this.#next(found)
    if (groupId === undefined || (!isThis && next === undefined)) {
      if (next !== undefined) forgetNext(next)
      wipeFound({ place, membership } as Partial<Found>)
      await this.#storage.forget()
      return undefined
    }
    try {
      const own = await this.#leafOf(place.signatureKey)
      return {
        groupId: place.groupId,
        own,
        minEpoch: place.epoch ?? 0n,
        membership: membership && this.#restored(place.groupId, own, membership),
        next,
      }
    } catch (error) {
      if (next !== undefined) forgetNext(next)
      wipeFound({ place, membership } as Partial<Found>)
      throw error
    }
  }

  /** @throws SessionError `store-…`, `session-ended` */
  async newLeaf(): Promise<MeetingLeaf> {
    return await this.#leafOf(freshSignatureKey(this.#options.environment.random))
  }

  /**
   * Resolves once what lets us into the next group outlasts a crash.
   * @throws SessionError `store-unavailable`
   */
  async keepNext(next: NextPlace): Promise<void> {
    await this.#storage.keepNext(keptNext(next))
  }

  /** We are in the group with this leaf. */
  taken(own: MeetingLeaf): void {
    if (this.#own !== own) this.#own?.signatureKey.wipe()
    this.#own = own
  }

  /**
   * Resolves once it outlasts a crash that this leaf may be in the group.
   * @throws SessionError `store-unavailable`
   */
  async offering({ signatureKey }: MeetingLeaf, groupId: Bytes): Promise<void> {
    await this.#storage.keep({ groupId, epoch: undefined, signatureKey }, undefined)
  }

  /**
   * Resolves once the state, which is wiped then, outlasts a crash.
   * @throws SessionError `store-unavailable`
   */
  async keep({ groupId, epoch }: Group, state: KeptMembership): Promise<void> {
    if (this.#own === undefined) return wipeMembership(state)
    const { signatureKey } = this.#own
    await this.#storage.keep({ groupId, epoch, signatureKey }, state)
  }

  /**
   * The place has to be taken again; what is kept of the state goes.
   * @throws SessionError `store-unavailable`
   */
  async lost({ groupId, epoch }: Pick<Group, 'groupId' | 'epoch'>): Promise<void> {
    if (this.#own === undefined) return
    const { signatureKey } = this.#own
    await this.#storage.keep({ groupId, epoch, signatureKey }, undefined)
  }

  /**
   * The place is gone; nothing is kept of it.
   * @throws SessionError `store-unavailable`
   */
  async givenUp(): Promise<void> {
    this.#own?.signatureKey.wipe()
    this.#own = undefined
    await this.#storage.forget()
  }

  /** Wipes everything, in the store too. */
  async end(): Promise<void> {
    this.#ended = true
    if (this.#found !== undefined) wipeFound(this.#found)
    this.#found = undefined
    this.#own?.signatureKey.wipe()
    this.#own = undefined
    await this.#storage.end()
  }

  /** @param signatureKey taken over, and wiped where that fails */
  async #leafOf(signatureKey: MeetingLeaf['signatureKey']): Promise<MeetingLeaf> {
    const { meetingId, identity, environment, suite } = this.#options
    try {
      this.#device ??= await deviceSigner(suite, environment.store, environment.random)
      const cipherSuites = suitesFor(environment.crypto, suite)
      const certified = { device: this.#device, meetingId, identity, cipherSuites }
      const own = await meetingLeaf(suite, certified, signatureKey)
      if (!this.#ended) return own
      throw new SessionError('session-ended', 'the session is over')
    } catch (error) {
      signatureKey.wipe()
      throw error
    }
  }

  /** What cannot be read is of no use: then the next group is entered as by anybody. */
  async #next({ place, next }: Found): Promise<NextPlace | undefined> {
    if (next === undefined) return undefined
    const { environment, problem } = this.#options
    const suite = environment.crypto.secretSuite(next.cipherSuite)
    if (suite === undefined || !equalBytes(next.groupId, place.groupId)) {
      wipeNext(next)
      return undefined
    }
    let own: MeetingLeaf | undefined
    try {
      own = await this.#leafOf(next.signatureKey.copy())
      return restoredNext(next, suite, own)
    } catch (error) {
      own?.signatureKey.wipe()
      if (!(error instanceof ConclaveError)) throw error
      if (!this.#ended) problem(corrupted(error))
      return undefined
    } finally {
      wipeNext(next)
    }
  }

  /** A state that cannot be used is a place to be taken again. */
  #restored(groupId: Bytes, own: MeetingLeaf, kept: KeptMembership): Membership | undefined {
    const { groups, problem } = this.#options
    try {
      const group = Group.restore(groups, kept.group.expose(), own.signer, kept.tree)
      try {
        if (!equalBytes(group.groupId, groupId)) throw corrupted()
        groups.policy.checkGroup(group.groupContext, group.public.tree)
      } catch (error) {
        group.close()
        throw error
      }
      return Membership.restore(group, kept)
    } catch (error) {
      if (!(error instanceof ConclaveError)) throw error
      problem(error instanceof SessionError ? error : corrupted(error))
      kept.pending?.commit.wipe()
      return undefined
    } finally {
      kept.group.wipe()
    }
  }
}

function corrupted(cause?: ConclaveError): SessionError {
  return new SessionError('store-corrupted', 'the stored state of a meeting cannot be used', {
    cause,
  })
}
