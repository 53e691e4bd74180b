import {
  accepting,
  appended,
  forgetting,
  replying,
  telling,
  withCode,
  withDetail,
} from './faultyBehaviour.ts'
import type { PlantedFault } from './plantedFault.ts'

/** Of groups that another one continues. */
export const continuingFaults: readonly PlantedFault[] = [
  {
    name: 'commits a ReInit that not everybody can follow',
    plant: () => accepting('commit', withCode('reinit-unready'), appended),
    looking: ['reinit.'],
    fail: ['reinit.unready'],
  },
  {
    name: 'does not say who has yet to offer',
    plant: () => telling('offered', (notice) => ({ ...notice, missing: [] })),
    looking: ['reinit.'],
    fail: ['reinit.told'],
  },
  {
    name: 'takes whatever is offered, by whomever',
    plant: () => ({
      answer: async ({ name }, forward) => {
        const reply = await forward()
        return name === 'offer' && reply['ok'] === false ? { ok: true, missing: [] } : reply
      },
    }),
    looking: ['reinit.'],
    fail: ['reinit.offers'],
  },
  {
    name: 'lets several continue a group',
    plant: () => accepting('continue', withCode('group-continued'), { durable: false }),
    looking: ['continue.'],
    fail: ['continue.race'],
  },
  {
    name: 'forgets who has continued a group',
    plant: () =>
      forgetting('continue', 'groupInfo', { ok: false, code: 'group-continued', message: '' }),
    looking: ['continue.'],
    fail: ['continue.again', 'continue.checked'],
  },
  {
    name: 'lets anybody be anybody in the next group',
    plant: () =>
      accepting('continue', withDetail('continuation-members-differ'), { durable: false }),
    looking: ['continue.'],
    fail: ['continue.checked'],
  },
  {
    name: 'tells nobody where the meeting goes on',
    plant: () => telling('continued', () => undefined),
    looking: ['continue.'],
    fail: ['continue.all'],
  },
  {
    name: 'knows nothing of the group before',
    plant: () =>
      replying('resume', (reply) =>
        reply['code'] === 'group-continued'
          ? { ok: false, code: 'group-unknown', message: '' }
          : reply,
      ),
    looking: ['continue.'],
    fail: ['continue.past'],
  },
]
