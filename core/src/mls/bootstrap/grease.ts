import type { RandomBytes } from '../../runtime.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { OwnLeaf } from './keyPackageBundle.ts'

/** RFC 9420 §13.5: what every registry keeps free, so that nobody comes to rely on knowing all. */
export const greaseValues: readonly number[] = Array.from(
  { length: 15 },
  (_, i) => 0x0a0a + i * 0x1010,
)

/**
 * RFC 9420 §13.5: extensions with some that mean nothing, for a KeyPackage or a GroupInfo. Never
 * for a GroupContext, whose extensions all members have to support.
 */
export function greaseExtensions(random: RandomBytes, extensions: Extensions): Extensions {
  return [...extensions, ...meaningless(random)]
}

/**
 * RFC 9420 §13.5 for a leaf: values that mean nothing in its capabilities and extensions. What a
 * client goes by itself is what it supports, not this.
 */
export function greaseLeaf(random: RandomBytes, own: OwnLeaf): OwnLeaf {
  const { capabilities } = own
  const extensions = meaningless(random)
  const greased = (values: readonly number[]) => [...values, ...someGrease(random)]
  return {
    ...own,
    capabilities: {
      versions: capabilities.versions,
      cipherSuites: greased(capabilities.cipherSuites),
      extensions: [...capabilities.extensions, ...extensions.map((e) => e.extensionType)],
      proposals: greased(capabilities.proposals),
      credentials: greased(capabilities.credentials),
    },
    extensions: [...own.extensions, ...extensions],
  }
}

function meaningless(random: RandomBytes): Extensions {
  return someGrease(random).map((extensionType) => {
    const [size = 0] = random(1)
    return { extensionType, extensionData: random(size % 32) }
  })
}

/** One to three values, each once. */
function someGrease(random: RandomBytes): readonly number[] {
  const [count = 0, ...picks] = random(4)
  const chosen = picks.slice(0, 1 + (count % 3))
  return [...new Set(chosen.map((pick) => greaseValues[pick % greaseValues.length] as number))]
}
