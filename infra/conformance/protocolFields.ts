import type { RequestName, ServerNotices } from '@conclave/core/delivery'

/** Every field that a reply may have beside `ok`. */
export const replyFields: { readonly [N in RequestName]: readonly string[] } = {
  enter: ['group', 'minor', 'externalSender', 'nonce'],
  create: ['seq', 'durable'],
  wait: ['position'],
  resume: ['entries', 'head', 'waiting', 'present'],
  attach: ['head'],
  propose: ['seq', 'durable'],
  commit: ['seq', 'durable'],
  tree: ['ratchetTree'],
  groupInfo: ['groupInfo', 'seq'],
  report: ['outcome'],
  giveBack: ['head'],
  send: [],
  remove: ['leaves'],
  offer: ['missing'],
  offers: ['keyPackages'],
  continue: ['durable'],
  publish: ['remaining', 'lastResort'],
  stock: ['remaining', 'lastResort'],
  claim: ['keyPackages'],
  mailbox: ['mail'],
  collect: [],
}

export const refusalFields = ['code', 'message', 'detail', 'group', 'leaves', 'missed'] as const

export const groupFields = ['groupId', 'epoch', 'head'] as const

export const noticeFields: { readonly [N in keyof ServerNotices]: readonly string[] } = {
  entry: ['groupId', 'entry'],
  waiting: ['groupId', 'joiners'],
  present: ['groupId', 'leaves'],
  welcome: ['groupId', 'ref', 'welcome', 'seq'],
  statusWanted: ['groupId', 'seq'],
  message: ['groupId', 'message'],
  stockLow: ['deviceKey', 'remaining', 'lastResort'],
  mail: ['deviceKey'],
  offered: ['groupId', 'missing'],
  continued: ['groupId', 'next'],
  closed: ['groupId', 'reason'],
}
