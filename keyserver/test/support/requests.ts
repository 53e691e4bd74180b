import { utf8 } from '@conclave/core/codec'
import { protocolVersion, type RequestName } from '@conclave/core/delivery'

const groupId = new Uint8Array(16)
const short = utf8('short')

/** Requests of the right shape, for a group that is not there. */
export const wellFormed: { readonly [N in RequestName]: Readonly<Record<string, unknown>> } = {
  enter: { protocol: protocolVersion, meetingId: 'elsewhere' },
  create: { groupInfo: short, ratchetTree: short },
  wait: { groupId, keyPackage: short },
  resume: { groupId, after: 0 },
  attach: { groupId, leafIndex: 0, signature: short },
  propose: { groupId, message: short },
  commit: { groupId, after: 0, message: short, welcome: null, groupInfo: short },
  tree: { groupId, treeHash: short },
  groupInfo: { groupId },
  report: { groupId, seq: 1, leafIndex: 0, status: 'failed', signature: short },
  giveBack: { groupId, after: 0, entries: short, groupInfo: short },
  send: { groupId, message: short },
  remove: { groupId, identity: 'nobody', leafIndex: 0, words: new Uint8Array(1) },
  publish: { keyPackages: short, lastResort: null },
  stock: { deviceKey: short },
  claim: { identity: 'nobody' },
  mailbox: { deviceKey: short },
  collect: { deviceKey: short, groupId, ref: short },
  offer: { groupId, keyPackage: short },
  offers: { groupId },
  continue: { groupId, groupInfo: short, ratchetTree: short, welcome: null },
}

/** In an order that seeds of hostile clients rest on. */
export const requestNames = Object.keys(wellFormed) as readonly RequestName[]

/** Of the connection and of the directory, that is of no meeting in particular. */
const ofNoMeeting: readonly RequestName[] = [
  'enter',
  'publish',
  'stock',
  'claim',
  'mailbox',
  'collect',
]

/** Requests that are about the group of a meeting that has been entered. */
export const meetingRequests = requestNames.filter((name) => !ofNoMeeting.includes(name))
