import type { Life } from '../people/life.ts'
import { Violation } from '../violation.ts'
import { rosterOf } from './convergence.ts'

/**
 * Whoever is told that somebody was added sees them in the group.
 * @throws Violation `invited-in-vain`
 */
export function checkInvited({ name, group }: Life, identity: string): void {
  // Its place may have been lost meanwhile, and taken anew in a later epoch.
  if (group === undefined || rosterOf(group).includes(identity)) return
  throw new Violation('invited-in-vain', `${name} has added ${identity}, who is not there`)
}
