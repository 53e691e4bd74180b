import { type Bytes, encode, opaque, struct, utf8 } from '@conclave/core/codec'
import type { PublicSuite } from '@conclave/core/crypto/public'
import { digitsOf } from './digits.ts'
import type { NamedDevice } from './roster.ts'

const LabelledDevice = struct({ label: opaque(), identity: opaque(), deviceKey: opaque() })
const deviceLabel = utf8('Conclave 1.0 DeviceFingerprint')

/** The suite's hash of an identity with one of its device keys. */
export function deviceFingerprint(
  crypto: Pick<PublicSuite, 'hash'>,
  { identity, deviceKey }: NamedDevice,
): Bytes {
  return crypto.hash(
    encode(LabelledDevice, { label: deviceLabel, identity: utf8(identity), deviceKey }),
  )
}

/**
 * What the users of two devices compare, the same on both: 60 decimal digits in groups of five, 30
 * of each device, the lesser first. With 30 digits of one hash over both devices whoever stands
 * between would look for two keys that collide, with the root of the work.
 */
export function pairFingerprint(
  crypto: Pick<PublicSuite, 'hash'>,
  one: NamedDevice,
  other: NamedDevice,
): string {
  return [one, other]
    .map((device) => digitsOf(deviceFingerprint(crypto, device)))
    .sort()
    .join(' ')
}
