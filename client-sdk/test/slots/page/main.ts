import { platformSlotLocks } from '../../../src/edge/slotLocks.ts'
import { memorySessionStore } from '../../../src/index.ts'
import { type Slot, takeSlot } from '../../../src/session/slots.ts'

declare global {
  interface Window {
    /** The number of the slot that was taken. */
    takeSlot: (meetingId: string) => Promise<number>
    releaseSlots: () => void
  }
}

const taken: Slot[] = []

window.takeSlot = async (meetingId) => {
  const store = memorySessionStore()
  const slot = await takeSlot(platformSlotLocks(), store, Uint8Array.of(1), meetingId)
  taken.push(slot)
  return slot.number
}

window.releaseSlots = () => {
  for (const slot of taken.splice(0)) slot.release()
}
