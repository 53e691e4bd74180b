import { compromise } from './compromise.mjs'
import { decoders } from './decoders.mjs'
import { encodings } from './encodings.mjs'
import { evolution } from './evolution.mjs'
import { interop } from './interop.mjs'
import { keyserverFaults } from './keyserverFaults.mjs'
import { keyserverFuzz } from './keyserverFuzz.mjs'
import { keyserverStore } from './keyserverStore.mjs'
import { mediaFuzz } from './mediaFuzz.mjs'
import { mediaMatrix } from './mediaMatrix.mjs'
import { mediaRotation } from './mediaRotation.mjs'
import { sessionsChurn } from './sessionsChurn.mjs'
import { sessionsSim } from './sessionsSim.mjs'

/**
 * Every campaign of `npm run test:long`, in the order in which they begin.
 *
 * @type {readonly import('../campaign.mjs').Campaign[]}
 */
export const campaigns = [
  encodings,
  decoders,
  evolution,
  compromise,
  interop,
  mediaFuzz,
  keyserverFuzz,
  keyserverStore,
  keyserverFaults,
  sessionsSim,
  sessionsChurn,
  mediaRotation,
  // Last, because it writes its table into the documentation.
  mediaMatrix,
]
