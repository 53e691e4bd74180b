import { diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import { type CipherSuite, isNist, type NistCurve } from '../../public/cipherSuite.ts'
import { importPublicKey } from '../../public/node/keys.ts'
import type { DhGroup } from '../hpke.ts'
import { KeyCache } from '../keyCache.ts'
import type { Secret } from '../secret.ts'
import { importNist, importRfc8410, nistPublicKey, rfc8410PublicKey } from './keys.ts'

/** `ownRandomness`: ephemeral keys are OpenSSL's, which makes them in half the time of an import. */
export function nodeGroup({ kem }: CipherSuite, ownRandomness: boolean): DhGroup {
  if (isNist(kem)) return nistGroup(kem)
  const privateKeys = new KeyCache<KeyObject>()
  const imported = (privateKey: Secret) =>
    privateKeys.get(privateKey, () => importRfc8410(kem, privateKey))
  const agree = (privateKey: KeyObject, peer: Uint8Array) =>
    plainBytes(diffieHellman({ privateKey, publicKey: importPublicKey(kem, peer) }))
  return {
    publicKey: (privateKey) => rfc8410PublicKey(imported(privateKey)),
    agree: ({ privateKey }, peer) => agree(imported(privateKey), peer),
    ...(ownRandomness && {
      agreeOnce: (peer) => {
        const { privateKey, publicKey } = generate(kem)
        return { kemOutput: rfc8410PublicKey(publicKey), shared: agree(privateKey, peer) }
      },
    }),
  }
}

function generate(kem: 'X25519' | 'X448') {
  return kem === 'X25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('x448')
}

function nistGroup(kem: NistCurve): DhGroup {
  const privateKeys = new KeyCache<KeyObject>()
  return {
    publicKey: (privateKey) => nistPublicKey(kem, privateKey),
    agree: (own, peer) => {
      const privateKey = privateKeys.get(own.privateKey, () =>
        importNist(kem, own.privateKey, own.publicKey),
      )
      return plainBytes(diffieHellman({ privateKey, publicKey: importPublicKey(kem, peer) }))
    },
  }
}
