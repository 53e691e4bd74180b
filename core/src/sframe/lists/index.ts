export {
  DigestList,
  decodeDigestList,
  decodeSignedList,
  digestListLabel,
  digestListTbs,
  listedFrames,
  MAX_LAYERS,
  MAX_LISTED_FRAMES,
  SignedDigestList,
} from './digestList.ts'
export {
  type AuthenticityStats,
  FrameAudit,
  type ListJudgement,
  MAX_LISTS_PER_SECOND,
  MAX_LISTS_UNDER_WAY,
  MAX_WITNESSED_FRAMES,
  type OpenedListedFrame,
  type VerifyList,
} from './frameAudit.ts'
export {
  DIGEST_LENGTH,
  type DigestedFrame,
  type FrameHash,
  frameDigest,
  webCryptoHash,
} from './frameDigest.ts'
export {
  FrameLister,
  LIST_INTERVAL_MS,
  MAX_WAITING_LISTS,
  type SentFrame,
  type SignList,
} from './frameLister.ts'
export { encodeTrailer, splitTrailer, type TrailedFrame } from './trailer.ts'
export {
  DOUBT_MEMORY_MS,
  type Evidence,
  FORGED_MEMORY_MS,
  LIST_PATIENCE_MS,
  type MediaVerdict,
  verdictOf,
  type WitnessedFrame,
} from './verdict.ts'
