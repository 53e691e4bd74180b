import { concatBytes, equalBytes } from '../../codec/bytes.ts'
import { decode, encode, oneOf, struct, uint8 } from '../../codec/tls.ts'
import { CryptoError } from '../../crypto/cryptoError.ts'
import { makeKeyPackageRef } from '../../crypto/public/refHash.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import { KeyPackage } from '../../wire/keyPackage.ts'
import { MlsError } from '../mlsError.ts'
import { isLastResort } from '../public/lastResort.ts'
import type { KeyPackageBundle } from './keyPackageBundle.ts'

/*
 * struct {
 *     uint8 version = 1;
 *     KeyPackage key_package;
 * } StoredKeyPackage;
 *
 * The private keys of init_key and encryption_key follow it, Nsk bytes each. They do not pass
 * through the codec, whose buffers nobody wipes.
 */
const StoredKeyPackage = struct({ version: oneOf(uint8, [1]), keyPackage: KeyPackage })

/**
 * A bundle for storage, with its HPKE private keys but without the signature key, which its signer
 * may not even be able to show. It belongs to the caller.
 */
export function storeKeyPackage({ keyPackage, initKey, leafKey }: KeyPackageBundle): Secret {
  return new Secret(
    concatBytes(
      encode(StoredKeyPackage, { version: 1, keyPackage }),
      initKey.privateKey.expose(),
      leafKey.privateKey.expose(),
    ),
  )
}

/**
 * The bundle that `storeKeyPackage` stored; `signer` has the key that signed it.
 * @throws CodecError where `stored` is something else
 * @throws MlsError `key-package-suite-mismatch`
 * @throws CryptoError `crypto-invalid-key` for another signer
 */
export function restoreKeyPackage(
  crypto: SecretSuite,
  stored: Secret,
  signer: Signer,
): KeyPackageBundle {
  const bytes = stored.expose()
  const { Nsk, id } = crypto.suite
  const [init, leaf] = [bytes.length - 2 * Nsk, bytes.length - Nsk]
  const { keyPackage } = decode(StoredKeyPackage, bytes.subarray(0, Math.max(0, init)))
  if (keyPackage.cipherSuite !== id) {
    throw new MlsError('key-package-suite-mismatch', 'the KeyPackage is of another cipher suite')
  }
  const { leafNode } = keyPackage
  if (!equalBytes(leafNode.signatureKey, signer.publicKey)) {
    throw new CryptoError('crypto-invalid-key', 'the KeyPackage has another signature key')
  }
  return {
    keyPackage,
    ref: makeKeyPackageRef(crypto, keyPackage),
    initKey: {
      privateKey: new Secret(bytes.slice(init, leaf)),
      publicKey: keyPackage.initKey,
    },
    leafKey: { privateKey: new Secret(bytes.slice(leaf)), publicKey: leafNode.encryptionKey },
    signer,
    lastResort: isLastResort(keyPackage),
  }
}
