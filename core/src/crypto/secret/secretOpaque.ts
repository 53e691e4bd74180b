import { type Codec, opaque } from '../../codec/tls.ts'
import { Secret } from './secret.ts'

/**
 * `opaque value<V>` that is a Secret. Copied both ways: the encoding's bytes are its holder's to wipe,
 * a Secret's are its owner's.
 */
export const secretOpaque: Codec<Secret> = {
  write: (value, to) => opaque().write(value.expose(), to),
  read: (from) => new Secret(opaque().read(from)),
}
