import { readLuaScript } from './luaScript.ts'

const read = (name: string) => readLuaScript('store/redis/lua', name)

/** The atomic steps of the Redis store. */
export const storeScripts = {
  addStatus: read('addStatus'),
  addWaiting: read('addWaiting'),
  appendCommit: read('appendCommit'),
  appendProposal: read('appendProposal'),
  appendReturned: read('appendReturned'),
  appendVoid: read('appendVoid'),
  attach: read('attach'),
  closeGroup: read('closeGroup'),
  continueGroup: read('continueGroup'),
  createGroup: read('createGroup'),
  detach: read('detach'),
  dropWelcome: read('dropWelcome'),
  findCommit: read('findCommit'),
  findWelcome: read('findWelcome'),
  listMeeting: read('listMeeting'),
  listWaiting: read('listWaiting'),
  markLeaving: read('markLeaving'),
  missingOffers: read('missingOffers'),
  putOffer: read('putOffer'),
  readEntries: read('readEntries'),
  readGroupInfo: read('readGroupInfo'),
  readLog: read('readLog'),
  readOffers: read('readOffers'),
  readPastEntries: read('readPastEntries'),
  readPresence: read('readPresence'),
  readSnapshot: read('readSnapshot'),
  readTree: read('readTree'),
  renewLease: read('renewLease'),
  withdrawWaiting: read('withdrawWaiting'),
}
