import type { RandomBytes } from '../../runtime.ts'
import { CryptoError } from '../cryptoError.ts'
import { assemblePublicSuite, type PublicPlatform, perSuite } from '../public/assemble.ts'
import { type CipherSuite, curveSizes, isNist, type SignatureCurve } from '../public/cipherSuite.ts'
import { nistCurves } from '../public/nistCurves.ts'
import { composeHpke, type DhGroup } from './hpke.ts'
import type { Kdf } from './kdf.ts'
import { Secret } from './secret.ts'
import type { SecretCrypto, SecretSuite } from './secretSuite.ts'
import type { Signer } from './sign.ts'

/** What a platform brings to a suite. */
export interface SecretPlatform extends PublicPlatform {
  readonly random: RandomBytes
  kdf(suite: CipherSuite): Kdf
  aead(suite: CipherSuite): Pick<SecretSuite, 'aeadSeal' | 'aeadOpen'>
  group(suite: CipherSuite): DhGroup
  /** A signer for a key of the right size and range. */
  signer(curve: SignatureCurve, privateKey: Secret): Signer | Promise<Signer>
}

/** Every suite over `platform`. */
export function assembleCrypto(platform: SecretPlatform): SecretCrypto {
  return {
    publicSuite: perSuite((suite) => assemblePublicSuite(suite, platform)),
    secretSuite: perSuite((suite) => assembleSecretSuite(suite, platform)),
  }
}

function assembleSecretSuite(suite: CipherSuite, platform: SecretPlatform): SecretSuite {
  const { random } = platform
  const { signature: curve } = suite
  const symmetric = { ...platform.kdf(suite), ...platform.aead(suite) }
  return {
    ...assemblePublicSuite(suite, platform),
    ...symmetric,
    ...composeHpke({ suite, group: platform.group(suite), random, ...symmetric }),
    generateSigner: async () => {
      const seed = generateSeed(curve, random)
      try {
        return await platform.signer(curve, seed)
      } finally {
        seed.wipe()
      }
    },
    importSigner: async (privateKey) => {
      if (!isPrivateKey(curve, privateKey)) {
        throw new CryptoError('crypto-invalid-key', `not a private key of ${curve}`)
      }
      return platform.signer(curve, privateKey)
    },
    random,
  }
}

/** Draws until the bytes are a key, which on NIST curves nearly all are. */
function generateSeed(curve: SignatureCurve, random: RandomBytes): Secret {
  for (let draws = 0; draws < 256; draws++) {
    const bytes = random(curveSizes[curve].privateKey)
    if (curve === 'P-521') bytes[0] = (bytes[0] as number) & 1
    const seed = new Secret(bytes)
    if (isPrivateKey(curve, seed)) return seed
  }
  throw new CryptoError('crypto-invalid-key', 'the source of randomness gives no key')
}

function isPrivateKey(curve: SignatureCurve, key: Secret): boolean {
  if (isNist(curve)) return nistCurves[curve].utils.isValidSecretKey(key.expose())
  return key.length === curveSizes[curve].privateKey
}
