/** @type {import('../campaign.mjs').Campaign} */
export const keyserverFuzz = {
  name: 'keyserver-fuzz',
  shows:
    'a keyserver under attack by hostile clients neither crashes nor forgets nor tells, and a meeting beside goes on as without them',
  files: ['keyserver/test/hostile/hostileClients.test.ts'],
  // Cases of up to 20 steps in memory, and a tenth as many with Redis.
  runs: 50_000,
  limitMinutes: 11.5,
  alone: true,
}
