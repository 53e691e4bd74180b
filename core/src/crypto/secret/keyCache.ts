import type { Bytes } from '../../codec/bytes.ts'
import type { Secret } from './secret.ts'

/**
 * A platform's imports of private keys, each made once. It hangs on the very memory of a secret,
 * which a wiped secret lets go of: then the import is garbage too.
 */
export class KeyCache<Key extends object> {
  readonly #imports = new WeakMap<Bytes, Key>()

  get(secret: Secret, importKey: () => Key): Key {
    const bytes = secret.expose()
    const known = this.#imports.get(bytes)
    if (known !== undefined) return known
    const imported = importKey()
    this.#imports.set(bytes, imported)
    return imported
  }
}
