import type { KeyserverOptions } from '@conclave/keyserver'
import { memoryStore, silentObserver } from '@conclave/keyserver'
import type { DirectoryStore } from '../../src/directory/directory.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import type { Jobs } from '../../src/jobs/jobs.ts'
import { timerJobs } from '../../src/jobs/timerJobs.ts'
import type { GroupKey, Store } from '../../src/store/store.ts'

type Changes = Partial<KeyserverOptions>

const kept: Uint8Array[] = []

/** Faults that a keyserver can be started with, one for each detector. */
export const plantedFaults = {
  'a refusal throws asynchronously': () => ({
    observer: {
      ...silentObserver,
      refused: () => {
        void Promise.reject(new Error('planted'))
      },
    },
  }),
  'a request is never acknowledged': () => ({
    directoryStore: overriding<DirectoryStore>(memoryDirectory(), {
      stock: () => new Promise<never>(() => {}),
    }),
  }),
  'a handler fails': () => ({
    directoryStore: overriding<DirectoryStore>(memoryDirectory(), {
      stock: () => Promise.reject(new TypeError('planted')),
    }),
  }),
  'a reply has a field too many': () => ({
    directoryStore: overriding<DirectoryStore>(memoryDirectory(), {
      stock: async () => Object.assign({ remaining: 1, lastResort: false }, { owner: 'somebody' }),
    }),
  }),
  'each refusal keeps memory': () => ({
    observer: { ...silentObserver, refused: () => void kept.push(new Uint8Array(1 << 20).fill(1)) },
  }),
  'a proposal is written into another meeting, too': () => {
    const store = memoryStore()
    let quiet: GroupKey | undefined
    return {
      store: overriding<Store>(store, {
        createGroup: (founding) => {
          if (founding.key.meetingId === 'quiet') quiet = founding.key
          return store.createGroup(founding)
        },
        appendProposal: async (key, proposal) => {
          // Its epoch is not known here: one of these is it.
          for (let epoch = 0; quiet !== undefined && epoch < 200; epoch++) {
            await store.appendProposal(quiet, { ...proposal, epoch })
          }
          return await store.appendProposal(key, proposal)
        },
      }),
    }
  },
  'meetings are never looked after': (options: KeyserverOptions) => ({
    jobs: overriding<Jobs>(timerJobs(options), { schedule: async () => {} }),
  }),
  'it stands still now and then': () => ({
    observer: {
      ...silentObserver,
      refused: () => {
        if (kept.push(new Uint8Array(0)) === 10) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500)
        }
      },
    },
  }),
  'it logs what it is asked with': (options: KeyserverOptions) => ({
    access: {
      verifier: {
        verify: (token: unknown) => {
          options.logger.info({ token }, 'a token')
          return options.access.verifier.verify(token)
        },
      },
    },
  }),
} as const satisfies Readonly<Record<string, (options: KeyserverOptions) => Changes>>

export type PlantedFault = keyof typeof plantedFaults

/** An object with some of its methods replaced. */
function overriding<T extends object>(object: T, changes: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
