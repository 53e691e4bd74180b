import type { Group } from '@conclave/core/mls/group'
import { MlsError } from '@conclave/core/mls/public'
import type { Life } from '../people/life.ts'
import { Violation } from '../violation.ts'

/** Secrets of an epoch, of which a member holds this epoch's and a pending commit's. */
export const epochSecrets = [
  'init',
  'exporter',
  'external',
  'confirm',
  'membership',
  'authentication',
]
const mostOfAnEpoch = 2

/**
 * A group that is over refuses to work.
 * @throws Violation `closed-group-works`
 */
export function checkClosed(group: Group, what: string): void {
  try {
    group.exportSecret('conclave simulator', new Uint8Array(), 16).wipe()
  } catch (error) {
    if (error instanceof MlsError) return
    throw error
  }
  throw new Violation('closed-group-works', `${what} still exports secrets`)
}

/**
 * A member holds the secrets of its epoch, and of the one that a commit of its own would begin.
 * @throws Violation `secret-outlives-its-epoch`
 */
export function checkHeldSecrets(life: Life): void {
  if (!life.isIn) return
  const unwiped = life.crypto.unwiped()
  for (const label of epochSecrets) {
    const count = unwiped.get(label) ?? 0
    if (count <= mostOfAnEpoch) continue
    throw new Violation('secret-outlives-its-epoch', `${life.name} holds ${count} of '${label}'`)
  }
}

/**
 * Of a session that has ended nothing is left, nor anything that will happen.
 * @throws Violation `secret-outlives-its-session`, `session-goes-on`
 */
export function checkEnded(life: Life): void {
  const left = [...life.crypto.unwiped()].map(([label, count]) => `${count} × ${label}`)
  if (left.length > 0) {
    throw new Violation('secret-outlives-its-session', `${life.name} holds ${left.join(', ')}`)
  }
  if (!life.transport.isClosed) throw new Violation('session-goes-on', `${life.name} is connected`)
  if (life.pendingTimers > 0) throw new Violation('session-goes-on', `${life.name} has timers`)
}
