import { av1 } from './av1.ts'
import type { CodecRule } from './codecRule.ts'
import { h264 } from './h264.ts'
import { opus } from './opus.ts'
import { vp8 } from './vp8.ts'
import { vp9 } from './vp9.ts'

export type { CodecRule, ParsedFrame, SplitFrame } from './codecRule.ts'

const RULES: ReadonlyMap<string, CodecRule> = new Map(
  [opus, vp8, vp9, h264, av1].map((rule) => [rule.mimeType, rule]),
)

/** The rule for a codec as encoded frames and RTP parameters name it; without one, no frame goes. */
export function codecRuleFor(mimeType: string | undefined): CodecRule | undefined {
  return mimeType === undefined ? undefined : RULES.get(mimeType.toLowerCase())
}
