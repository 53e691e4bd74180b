/** @type {import('../campaign.mjs').Campaign} */
export const sessionsSim = {
  name: 'sessions-sim',
  shows:
    'meetings of simulated clients and keyserver instances agree, keep their secrets from who is gone and end whole, whatever crashes, fails over, is cut off, late, lost or said twice',
  files: ['infra/test/sim/sessions.test.ts'],
  // Seeds: meetings of 2 to 6 people, with 8 to 16 things that happen to them.
  runs: 20_000,
  limitMinutes: 15,
  alone: true,
}
