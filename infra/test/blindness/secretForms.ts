/** How a secret may lie in bytes that are not its own. */
export type SecretForm = (typeof secretForms)[number]

export const secretForms = [
  'raw',
  'hex',
  'hex, upper case',
  'base64',
  'base64url',
  // A Buffer in JSON.
  'decimal',
] as const

/** Some bytes that show a stretch of a secret, wherever in a text that stretch stands. */
export interface Needle {
  readonly form: SecretForm
  readonly bytes: Uint8Array
}

/**
 * A secret is looked for in stretches, so that a part of it is found too: whatever holds this many
 * bytes of it in a row, twice less one, holds a stretch whole.
 */
export const stretchBytes = 12

/** Shorter ones could be there by chance. */
export const shortestSecret = stretchBytes

/** All needles of a secret; the same bytes come once, though two forms may have them in common. */
export function needlesOf(secret: Uint8Array): Needle[] {
  return stretchesOf(secret).flatMap((stretch) => {
    const needles = new Map<string, Needle>()
    for (const { form, bytes } of formsOf(stretch)) {
      const name = bytes.toString('latin1')
      if (!needles.has(name)) needles.set(name, { form, bytes })
    }
    return [...needles.values()]
  })
}

/** The last one overlaps the one before it. */
function stretchesOf(secret: Uint8Array): Buffer[] {
  const buffer = Buffer.from(secret)
  const stretches: Buffer[] = []
  for (let at = 0; at < buffer.length; at += stretchBytes) {
    const from = Math.min(at, buffer.length - stretchBytes)
    stretches.push(buffer.subarray(from, from + stretchBytes))
  }
  return stretches
}

function* formsOf(stretch: Buffer): Generator<{ form: SecretForm; bytes: Buffer }> {
  yield { form: 'raw', bytes: stretch }
  const hex = stretch.toString('hex')
  yield { form: 'hex', bytes: Buffer.from(hex) }
  yield { form: 'hex, upper case', bytes: Buffer.from(hex.toUpperCase()) }
  for (const form of ['base64', 'base64url'] as const) {
    // Three bytes are four characters: what stands before decides where the groups begin, and only
    // groups that lie within the stretch are the same whatever stands around it.
    for (let skipped = 0; skipped < 3; skipped++) {
      const whole = stretch.length - skipped - ((stretch.length - skipped) % 3)
      const groups = stretch.subarray(skipped, skipped + whole)
      yield { form, bytes: Buffer.from(groups.toString(form)) }
    }
  }
  yield { form: 'decimal', bytes: Buffer.from(stretch.join(',')) }
}

/** A text that shows a secret, in base64 behind so many other bytes. */
export function inForm(form: SecretForm, secret: Buffer, skew: number): Buffer {
  const behind = Buffer.concat([Buffer.alloc(skew, '?'), secret])
  switch (form) {
    case 'raw':
      return secret
    case 'hex':
      return Buffer.from(secret.toString('hex'))
    case 'hex, upper case':
      return Buffer.from(secret.toString('hex').toUpperCase())
    case 'base64':
    case 'base64url':
      return Buffer.from(behind.toString(form))
    case 'decimal':
      return Buffer.from(JSON.stringify(secret))
  }
}
