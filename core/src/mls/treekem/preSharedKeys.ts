import { encode } from '../../codec/tls.ts'
import { expandWithLabel } from '../../crypto/secret/labels.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { PskLabel } from '../../wire/labels.ts'
import type { PreSharedKeyId } from '../../wire/proposal.ts'

export interface PreSharedKeyInput {
  readonly id: PreSharedKeyId
  readonly key: Secret
}

/** RFC 9420 §8.4: psk_secret, the all-zero string where there are no keys. */
export function derivePskSecret(crypto: SecretSuite, psks: readonly PreSharedKeyInput[]): Secret {
  const { Nh } = crypto.suite
  const zero = new Uint8Array(Nh)
  let pskSecret = new Secret(new Uint8Array(Nh))
  psks.forEach(({ id, key }, index) => {
    const extracted = new Secret(crypto.extract(zero, key.expose()))
    const context = encode(PskLabel, { id, index, count: psks.length })
    const input = expandWithLabel(crypto, extracted, 'derived psk', context, Nh)
    const next = new Secret(crypto.extract(input.expose(), pskSecret.expose()))
    for (const used of [extracted, input, pskSecret]) used.wipe()
    pskSecret = next
  })
  return pskSecret
}
