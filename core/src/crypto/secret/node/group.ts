import { createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import type { CipherSuite } from '../../public/cipherSuite.ts'
import { publicJwk } from '../../public/node/index.ts'
import type { DhGroup } from '../hpke.ts'
import { KeyCache } from '../keyCache.ts'
import type { Secret } from '../secret.ts'
import { importNist, importRfc8410, isNist, nistPublicKey, rfc8410PublicKey } from './keys.ts'

export function nodeGroup({ kem }: CipherSuite): DhGroup {
  const privateKeys = new KeyCache<KeyObject>()
  const agree = (privateKey: KeyObject, peer: Uint8Array) =>
    plainBytes(diffieHellman({ privateKey, publicKey: createPublicKey(publicJwk(kem, peer)) }))
  if (isNist(kem)) {
    return {
      publicKey: (privateKey) => nistPublicKey(kem, privateKey),
      agree: ({ privateKey, publicKey }, peer) =>
        agree(
          privateKeys.get(privateKey, () => importNist(kem, privateKey, publicKey)),
          peer,
        ),
    }
  }
  const imported = (privateKey: Secret) =>
    privateKeys.get(privateKey, () => importRfc8410(kem, privateKey))
  return {
    publicKey: (privateKey) => rfc8410PublicKey(imported(privateKey)),
    agree: ({ privateKey }, peer) => agree(imported(privateKey), peer),
  }
}
