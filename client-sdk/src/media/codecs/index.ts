import type { CodecRule } from './codecRule.ts'
import { opus } from './opus.ts'
import { vp8 } from './vp8.ts'

export type { CodecRule } from './codecRule.ts'

const RULES: ReadonlyMap<string, CodecRule> = new Map(
  [opus, vp8].map((rule) => [rule.mimeType, rule]),
)

/** The rule for a codec as encoded frames and RTP parameters name it; without one, no frame goes. */
export function codecRuleFor(mimeType: string | undefined): CodecRule | undefined {
  return mimeType === undefined ? undefined : RULES.get(mimeType.toLowerCase())
}
