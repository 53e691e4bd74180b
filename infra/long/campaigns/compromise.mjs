/** @type {import('../campaign.mjs').Campaign} */
export const compromise = {
  name: 'compromise',
  shows:
    'who copies all that a member has learns nothing after its next path or Update, and of the past no more than the member kept',
  files: ['core/test/mls/evolution/compromise.property.test.ts'],
  // Each of them a group with up to a dozen epochs, and a thief.
  runs: 500,
  limitMinutes: 7,
  alone: false,
}
