/** @type {import('../campaign.mjs').Campaign} */
export const keyserverStore = {
  name: 'keyserver-store',
  shows:
    'Redis and memory answer the same to random walks over all that a store can be asked, and the comparison finds planted faults',
  files: ['keyserver/test/store/sameOutcomes.property.test.ts'],
  runs: 4_000,
  limitMinutes: 2.5,
  alone: false,
}
