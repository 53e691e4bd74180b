/** @type {import('../campaign.mjs').Campaign} */
export const sessionsChurn = {
  name: 'sessions-churn',
  shows:
    'in half an hour in which one of a hundred members leaves and another comes every three seconds, the heap of all clients and the keyserver, the log, and what devices store stay as they are',
  files: ['infra/test/churn/churn.test.ts'],
  // A meeting on a virtual clock.
  runs: 1,
  limitMinutes: 9,
  alone: false,
}
