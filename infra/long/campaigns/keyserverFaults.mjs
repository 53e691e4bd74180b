/** @type {import('../campaign.mjs').Campaign} */
export const keyserverFaults = {
  name: 'keyserver-faults',
  shows:
    'a meeting over three keyserver instances and Redis goes on, agrees and loses nothing acknowledged, whichever of them is killed, cut off or asked to stop, and however requests arrive',
  files: ['keyserver/test/faults/faults.test.ts'],
  // Rounds of each fault, of two to three seconds.
  runs: 50,
  limitMinutes: 13,
  alone: true,
}
