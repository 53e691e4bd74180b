/** @type {import('../campaign.mjs').Campaign} */
export const mediaRotation = {
  name: 'media-rotation',
  shows:
    'while others come and go every three seconds, the pictures that three browsers send each other stand still no longer than without encryption, no frame is lost to keys and no key frame asked for',
  files: ['examples/meeting/test/rotation.browser.test.ts'],
  // Rotations of keys, in a minute.
  runs: 20,
  limitMinutes: 5,
  alone: true,
}
