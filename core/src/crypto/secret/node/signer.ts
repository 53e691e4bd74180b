import { sign } from 'node:crypto'
import { plainBytes } from '../../../codec/bytes.ts'
import { isNist, type SignatureCurve } from '../../public/cipherSuite.ts'
import { nodeDigest } from '../../public/node/platform.ts'
import type { Secret } from '../secret.ts'
import type { Signer } from '../sign.ts'
import { importNist, importRfc8410, nistPublicKey, rfc8410PublicKey } from './keys.ts'

export function nodeSigner(curve: SignatureCurve, privateKey: Secret): Signer {
  if (isNist(curve)) {
    const publicKey = nistPublicKey(curve, privateKey)
    const key = importNist(curve, privateKey, publicKey)
    const digest = nodeDigest(curve)
    return { publicKey, sign: async (message) => plainBytes(sign(digest, message, key)) }
  }
  const key = importRfc8410(curve, privateKey)
  return {
    publicKey: rfc8410PublicKey(key),
    sign: async (message) => plainBytes(sign(null, message, key)),
  }
}
