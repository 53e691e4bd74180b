import type { Store } from '@conclave/keyserver'
import type { Plant } from '../../sim/plant.ts'

/** A store with some of its steps done otherwise. */
function otherwise(store: Store, change: (store: Store) => Partial<Store>): Store {
  const changed = change(store)
  return new Proxy(store, {
    get: (target, name: keyof Store) => changed[name] ?? target[name],
  })
}

/** Bugs of the keyserver, most of which show as what its store then has. */
export const keyserverPlants: readonly Plant[] = [
  {
    name: 'the keyserver takes a second commit of an epoch',
    store: (inner) =>
      otherwise(inner, (store) => ({
        appendCommit: async (key, commit) => {
          const appended = await store.appendCommit(key, commit)
          if (appended.outcome !== 'epoch-mismatch') return appended
          return await store.appendCommit(key, { ...commit, epoch: appended.group.epoch })
        },
      })),
  },
  {
    name: 'the keyserver acknowledges commits that it then forgets',
    store: (inner) => {
      let commits = 0
      return otherwise(inner, (store) => ({
        appendCommit: async (key, commit) => {
          commits += 1
          if (commits % 3 !== 0) return await store.appendCommit(key, commit)
          const current = await store.currentGroup(key.meetingId)
          return { outcome: 'appended', seq: (current?.head ?? 0) + 1, admitted: [] }
        },
      }))
    },
  },
  {
    name: 'the keyserver never finds anybody absent',
    store: (inner) =>
      otherwise(inner, (store) => ({
        readPresence: async (key, times) => {
          const view = await store.readPresence(key, times)
          return view && { ...view, overdue: [] }
        },
      })),
  },
  {
    name: 'a commit is undone although somebody has applied it',
    store: (inner) =>
      otherwise(inner, (store) => ({
        addStatus: async (key, seq, status) => {
          const statuses = await store.addStatus(key, seq, status)
          return statuses?.map((one) => ({ ...one, status: 'failed' }))
        },
      })),
  },
  {
    name: 'the Welcomes of two newcomers are mixed up',
    store: (inner) =>
      otherwise(inner, (store) => ({
        appendCommit: (key, commit) => {
          const welcomes = commit.parts.map(({ welcome }) => welcome)
          const parts = commit.parts.map((part, i) => ({
            ...part,
            welcome: welcomes[(i + 1) % welcomes.length] ?? part.welcome,
          }))
          return store.appendCommit(key, { ...commit, parts })
        },
      })),
  },
]
