import type { RandomBytes } from '../../runtime.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { OwnLeaf } from './keyPackageBundle.ts'

/** RFC 9420 §13.5: what every registry keeps free, so that nobody comes to rely on knowing all. */
export const greaseValues: readonly number[] = Array.from(
  { length: 15 },
  (_, i) => 0x0a0a + i * 0x1010,
)

/**
 * RFC 9420 §13.5: extensions with some that mean nothing, in place of any such that they have, for a
 * KeyPackage or a GroupInfo. Never for a GroupContext, whose extensions all members have to support.
 */
export function greaseExtensions(random: RandomBytes, extensions: Extensions): Extensions {
  return [...extensions.filter((e) => !isGrease(e.extensionType)), ...meaningless(random)]
}

/**
 * RFC 9420 §13.5 for a leaf: values that mean nothing in its capabilities and extensions, others each
 * time. What a client goes by itself is what it supports, not this.
 */
export function greaseLeaf(random: RandomBytes, own: OwnLeaf): OwnLeaf {
  const { versions, cipherSuites, extensions, proposals, credentials } = own.capabilities
  const greased = (values: readonly number[], grease = someGrease(random)) => [
    ...values.filter((value) => !isGrease(value)),
    ...grease,
  ]
  const leafExtensions = greaseExtensions(random, own.extensions)
  const inLeaf = leafExtensions.map((e) => e.extensionType).filter(isGrease)
  return {
    ...own,
    capabilities: {
      versions,
      cipherSuites: greased(cipherSuites),
      extensions: greased(extensions, inLeaf),
      proposals: greased(proposals),
      credentials: greased(credentials),
    },
    extensions: leafExtensions,
  }
}

function isGrease(value: number): boolean {
  return greaseValues.includes(value)
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
