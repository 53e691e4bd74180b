import {
  type CiphersuiteImpl,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type Hpke,
  type PrivateKey,
  type PublicKey,
} from 'ts-mls'
import { ciphersuites } from 'ts-mls/crypto/ciphersuite.js'
import { type Bytes, emptyBytes, equalBytes, toHex } from '../../src/codec/bytes.ts'
import { Secret, type SecretSuite } from '../../src/crypto/secret/index.ts'

/**
 * The cryptography that ts-mls computes with: its own where it needs no more packages than are
 * installed, which is suite 1, else our suite of the same number.
 */
export function tsMlsSuite(suite: SecretSuite): Promise<CiphersuiteImpl> {
  return suite.suite.id === 1
    ? getCiphersuiteImpl(getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'))
    : Promise.resolve(ofSuite(suite))
}

function ofSuite(suite: SecretSuite): CiphersuiteImpl {
  const names = Object.entries(ciphersuites).find(([, id]) => id === suite.suite.id)
  if (names === undefined) throw new Error(`ts-mls has no cipher suite ${suite.suite.id}`)
  return {
    name: names[0] as CiphersuiteImpl['name'],
    rng: { randomBytes: (length) => suite.random(length) },
    hash: {
      digest: async (data) => suite.hash(data),
      mac: async (key, data) => suite.mac(key, data),
      verifyMac: async (key, mac, data) => equalBytes(suite.mac(key, data), copy(mac)),
    },
    kdf: {
      size: suite.suite.Nh,
      extract: async (salt, inputKey) => suite.extract(salt, inputKey),
      expand: async (key, info, length) => suite.expand(key, info, length),
    },
    signature: {
      sign: async (key, message) => {
        const signer = await suite.importSigner(new Secret(copy(key)))
        return signer.sign(copy(message))
      },
      verify: (publicKey, message, signature) => suite.verify(publicKey, message, signature),
      keygen: () => Promise.reject(new Error('people have their keys already')),
    },
    hpke: hpkeOf(suite),
  }
}

/** ts-mls hands keys over in the platform's form; here they are bytes. */
interface Keys {
  readonly publicKey: Bytes
  readonly privateKey: Bytes
}

function hpkeOf(suite: SecretSuite): Hpke {
  /** Opening needs the public half of a key, too, which ts-mls does not keep. */
  const publicKeys = new Map<string, Bytes>()
  const imported = (privateKey: Bytes) => {
    const publicKey = publicKeys.get(toHex(privateKey))
    if (publicKey === undefined) throw new Error('a private key from nowhere')
    const keys: Keys = { publicKey, privateKey }
    return keys as unknown as PrivateKey
  }
  const pair = (key: PrivateKey) => {
    const { publicKey, privateKey } = key as unknown as Keys
    return { publicKey, privateKey: new Secret(privateKey.slice()) }
  }
  const bytesOf = (key: PublicKey) => (key as unknown as Pick<Keys, 'publicKey'>).publicKey
  const publicKeyOf = (publicKey: Bytes) => ({ publicKey }) as unknown as PublicKey
  const derived = async (inputKey: Uint8Array) => {
    const { publicKey, privateKey } = await suite.deriveKeyPair(new Secret(copy(inputKey)))
    const raw = privateKey.expose().slice()
    publicKeys.set(toHex(raw), publicKey)
    return { publicKey: publicKeyOf(publicKey), privateKey: imported(raw) }
  }
  return {
    keyLength: suite.suite.Nk,
    nonceLength: suite.suite.Nn,
    open: (key, kemOutput, ciphertext, info) =>
      suite.hpkeOpen(pair(key), copy(info), {
        kemOutput: copy(kemOutput),
        ciphertext: copy(ciphertext),
      }),
    seal: async (key, plaintext, info) => {
      const { kemOutput, ciphertext } = await suite.hpkeSeal(bytesOf(key), copy(info), plaintext)
      return { enc: kemOutput, ct: ciphertext }
    },
    exportSecret: async (key, context, length, info) => {
      const { kemOutput, exported } = await suite.hpkeSealExport(
        bytesOf(key),
        copy(info),
        copy(context),
        length,
      )
      return { enc: kemOutput, secret: exported.expose().slice() }
    },
    importSecret: async (key, context, kemOutput, length, info) => {
      const exported = suite.hpkeOpenExport(pair(key), kemOutput, copy(info), copy(context), length)
      return (await exported).expose().slice()
    },
    importPrivateKey: async (privateKey) => imported(copy(privateKey)),
    importPublicKey: async (publicKey) => publicKeyOf(copy(publicKey)),
    exportPublicKey: async (key) => bytesOf(key),
    exportPrivateKey: async (key) => (key as unknown as Keys).privateKey.slice(),
    encryptAead: (key, nonce, aad, plaintext) =>
      suite.aeadSeal(new Secret(copy(key)), nonce, aad ?? emptyBytes, plaintext),
    decryptAead: (key, nonce, aad, ciphertext) =>
      suite.aeadOpen(new Secret(copy(key)), nonce, aad ?? emptyBytes, ciphertext),
    deriveKeyPair: derived,
    generateKeyPair: () => derived(suite.random(suite.suite.Nh)),
  }
}

function copy(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes)
}
