import { PrivateAccessKey } from '@conclave/core/access'
import { exportJWK, exportPKCS8, exportSPKI, generateKeyPair } from 'jose'

export type SignatureAlgorithm = 'EdDSA' | 'ES256' | 'RS256'

/** A backend's key pair in every form in which it can be configured. */
export async function keyPair(algorithm: SignatureAlgorithm, kid?: string) {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const named = kid === undefined ? {} : { kid }
  const privatePem = await exportPKCS8(privateKey)
  return {
    publicPem: await exportSPKI(publicKey),
    privatePem,
    publicJwk: { ...(await exportJWK(publicKey)), ...named },
    privateJwk: { ...(await exportJWK(privateKey)), ...named },
    signing: await PrivateAccessKey.import(privatePem, kid),
  }
}
