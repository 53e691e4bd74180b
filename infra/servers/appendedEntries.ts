import { type Bytes, decode } from '@conclave/core/codec'
import { ContentType, MlsMessage, SenderType, WireFormat } from '@conclave/core/wire'
import type { CommitAppend, ProposalAppend, Store } from '../../keyserver/src/store/store.ts'
import { machineTime } from './child.ts'

export interface AppendedProposal {
  readonly kind: 'proposal'
  /** The machine's time when the store had it. */
  readonly at: number
  readonly epoch: number
}

export interface AppendedCommit {
  readonly kind: 'commit'
  readonly at: number
  readonly seq: number
  /** The epoch that it has ended. */
  readonly epoch: number
  readonly committer: number
  /** By an external commit: the committer has joined with it. */
  readonly external: boolean
  readonly added: readonly number[]
  readonly removed: readonly number[]
  /** HPKE ciphertexts of its path. */
  readonly seals: number
  readonly bytes: number
}

export type AppendedEntry = AppendedProposal | AppendedCommit

type Noted =
  | AppendedProposal
  | {
      readonly kind: 'unread'
      readonly at: number
      readonly seq: number
      readonly commit: CommitAppend
    }

/** What a store has taken onto a log. It is read when somebody asks, so that the run is not delayed. */
export class AppendedEntries {
  #noted: Noted[] = []
  #lastCommitAt = Number.NaN
  #commits = 0

  /** The store, watched. */
  of(store: Store): Store {
    const appendProposal: Store['appendProposal'] = async (key, proposal) => {
      const appended = await store.appendProposal(key, proposal)
      if (appended.outcome === 'appended') this.#noteProposal(proposal)
      return appended
    }
    const appendCommit: Store['appendCommit'] = async (key, commit) => {
      const appended = await store.appendCommit(key, commit)
      this.#lastCommitAt = machineTime()
      if (appended.outcome === 'appended') {
        this.#commits += 1
        const { seq } = appended
        this.#noted.push({ kind: 'unread', at: this.#lastCommitAt, seq, commit })
      }
      return appended
    }
    const watched: Partial<Store> = { appendProposal, appendCommit }
    return new Proxy(store, {
      get: (target, name: keyof Store) => watched[name] ?? bound(target, name),
    })
  }

  get lastCommitAt(): number {
    return this.#lastCommitAt
  }

  /** In all. */
  get commits(): number {
    return this.#commits
  }

  /** What has come since this was called last. */
  take(): readonly AppendedEntry[] {
    const taken = this.#noted.map((entry) =>
      entry.kind === 'unread'
        ? { ...readCommit(entry.commit), at: entry.at, seq: entry.seq }
        : entry,
    )
    this.#noted = []
    return taken
  }

  #noteProposal({ epoch }: ProposalAppend): void {
    this.#noted.push({ kind: 'proposal', at: machineTime(), epoch })
  }
}

function bound(store: Store, name: keyof Store): unknown {
  const value: unknown = store[name]
  return typeof value === 'function' ? value.bind(store) : value
}

function readCommit(commit: CommitAppend): Omit<AppendedCommit, 'at' | 'seq'> {
  const { epoch, message, committer, added, removed } = commit
  return {
    kind: 'commit',
    epoch,
    committer,
    added,
    removed,
    ...pathOf(message),
    bytes: message.length,
  }
}

function pathOf(encoded: Bytes): Pick<AppendedCommit, 'external' | 'seals'> {
  const message = decode(MlsMessage, encoded)
  const content =
    message.wireFormat === WireFormat.publicMessage ? message.publicMessage.content : undefined
  if (content?.contentType !== ContentType.commit) throw new TypeError('this is no commit')
  const nodes = content.commit.path?.nodes ?? []
  return {
    external: content.sender.senderType === SenderType.newMemberCommit,
    seals: nodes.reduce((sum, { encryptedPathSecret }) => sum + encryptedPathSecret.length, 0),
  }
}
