import './reflectMetadata.ts'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { plainBytes } from '../../src/codec/bytes.ts'
import { clock, day, maySign } from './certificates.ts'

/**
 * A certificate of an Ed448 key. The library knows the algorithm by names of its own, which no
 * WebCrypto has, so that Node's other interface generates and signs.
 */
export async function issueEd448(
  name: string,
  issuer?: { readonly name: string; readonly privateKey: KeyObject },
  extensions: readonly x509.Extension[] = [maySign],
) {
  const { publicKey, privateKey } = generateKeyPairSync('ed448')
  const spki = plainBytes(publicKey.export({ type: 'spki', format: 'der' }))
  const signer = issuer?.privateKey ?? privateKey
  const engine = {
    sign: async (_: unknown, __: unknown, data: Uint8Array) => sign(null, data, signer),
  }
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: `CN=${name}`,
      issuer: `CN=${issuer?.name ?? name}`,
      notBefore: new Date(clock.now() - day),
      notAfter: new Date(clock.now() + day),
      publicKey: spki,
      signingKey: { algorithm: { name: 'EdDSA', namedCurve: 'Ed448' } } as unknown as CryptoKey,
      extensions: [...extensions],
    },
    { subtle: engine, getRandomValues: crypto.getRandomValues.bind(crypto) } as unknown as Crypto,
  )
  const der = plainBytes(new Uint8Array(certificate.rawData))
  return { name, privateKey, der, signatureKey: spki.slice(-57) }
}
