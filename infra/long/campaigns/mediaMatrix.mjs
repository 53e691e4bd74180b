/** @type {import('../campaign.mjs').Campaign} */
export const mediaMatrix = {
  name: 'media-matrix',
  shows:
    'whatever Chromium sends through the SFU, in each codec, simulcast, SVC and as a screen, arrives encrypted as it does in clear; docs/media.md has the table',
  files: ['client-sdk/test/media/matrix/matrix.browser.test.ts'],
  // Each row takes twenty seconds.
  runs: 1,
  limitMinutes: 8,
  alone: true,
}
