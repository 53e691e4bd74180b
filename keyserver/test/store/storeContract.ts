import { describe, onTestFinished } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { describeContinuing } from './continuingContract.ts'
import { describeJoining } from './joiningContract.ts'
import { describeLog } from './logContract.ts'
import { describePresence } from './presenceContract.ts'
import type { OpenStore } from './storeSamples.ts'
import { describeUndoing } from './undoingContract.ts'

/** What every store keeps to, whatever it keeps things in. */
export function describeStore(
  name: string,
  makeStore: (options: { readonly retainedBytes?: number }) => Promise<Store>,
): void {
  describe(name, () => {
    const open: OpenStore = async (options = {}) => {
      const made = await makeStore(options)
      onTestFinished(() => made.close())
      return made
    }
    describeLog(open)
    describeJoining(open)
    describePresence(open)
    describeUndoing(open)
    describeContinuing(open)
  })
}
