/** @type {import('../campaign.mjs').Campaign} */
export const mediaFuzz = {
  name: 'media-fuzz',
  shows:
    'frames of every codec that a hostile relay damages, replays and swaps never throw, each is dropped under a name, none opens that was not sent, and every good frame between them does',
  files: ['client-sdk/test/media/hostile/hostileFrames.test.ts'],
  // Damaged frames of each of five codecs.
  runs: 1_000_000,
  limitMinutes: 4,
  alone: false,
}
