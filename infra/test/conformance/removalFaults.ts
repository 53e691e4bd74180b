import { packRemovalWords } from '@conclave/core/delivery'
import { accepting, appended, replying, withCode, withDetail } from './faultyBehaviour.ts'
import type { PlantedFault } from './plantedFault.ts'

/** Of who is to be removed, and by whose word. */
export const removalFaults: readonly PlantedFault[] = [
  {
    name: 'accepts a commit that leaves out a removal',
    plant: () => accepting('commit', withDetail('commit-omits-removal'), appended),
    looking: ['removal.omitted', 'removal.lagging', 'removal.committer'],
    fail: ['removal.omitted'],
  },
  {
    name: 'accepts a commit that misses a removal for ever',
    plant: () => accepting('commit', withDetail('commit-lags'), appended),
    looking: ['removal.omitted', 'removal.lagging', 'removal.committer'],
    fail: ['removal.lagging'],
  },
  {
    name: 'accepts a commit of somebody who is on the way out',
    plant: () => accepting('commit', withDetail('committer-pending-removal'), appended),
    looking: ['removal.omitted', 'removal.lagging', 'removal.committer'],
    fail: ['removal.committer'],
  },
  {
    name: 'never notices that somebody has gone',
    plant: () => ({ keepsTheDead: true }),
    looking: ['removal.absent', 'removal.unattached', 'wait.withdrawn', 'wait.newest'],
    fail: ['removal.absent', 'removal.unattached', 'wait.withdrawn'],
  },
  {
    name: 'lets members be idle for ever',
    plant: () => ({}),
    options: { idleMs: 3_600_000 },
    looking: ['removal.idle'],
    fail: ['removal.idle'],
  },
  {
    name: 'takes no goodbye for an epoch that is over',
    plant: () => ({
      answer: ({ name }, forward) =>
        name === 'propose' ? Promise.resolve({ ok: false, code: 'epoch-mismatch' }) : forward(),
    }),
    looking: ['removal.belated'],
    fail: ['removal.belated'],
  },
  {
    name: 'lets anybody remove others',
    plant: () => accepting('remove', withCode('not-permitted'), { leaves: [2, 3] }),
    looking: ['remove.'],
    fail: ['remove.grant'],
  },
  {
    name: 'removes at the word of any leaf',
    plant: () => accepting('remove', withCode('presence-invalid'), { leaves: [2, 3] }),
    looking: ['remove.'],
    fail: ['remove.speaks'],
  },
  {
    name: 'does not say who has asked for a removal',
    plant: () => ({
      answer: ({ name, request }, forward) =>
        name === 'remove' ? forward({ ...request, words: packRemovalWords([]) }) : forward(),
    }),
    looking: ['remove.'],
    fail: ['remove.person'],
  },
  {
    name: 'removes one device of a person',
    plant: () =>
      replying('remove', ({ leaves, ...reply }) => ({
        ...reply,
        leaves: [leaves].flat().slice(0, 1),
      })),
    looking: ['remove.'],
    fail: ['remove.person'],
  },
]
