import { type Bytes, concatBytes, emptyBytes, utf8 } from '../../codec/bytes.ts'
import { CryptoError, openFailed } from '../cryptoError.ts'
import {
  type AeadName,
  type CipherSuite,
  type HashName,
  isNist,
  type KemCurve,
} from '../public/cipherSuite.ts'
import { canSealTo } from '../public/encryptionKey.ts'
import { nistCurves } from '../public/nistCurves.ts'
import type { Kdf } from './kdf.ts'
import { Secret } from './secret.ts'
import type { HpkeKeyPair, SecretSuite } from './secretSuite.ts'

/** Diffie-Hellman in a KEM's group. Keys are serialised as RFC 9180 §7.1 says. */
export interface DhGroup {
  /** The public half of a key that is in range. */
  publicKey(privateKey: Secret): Bytes | Promise<Bytes>
  /** The coordinate that both sides share. Throws or rejects where `privateKey` is none. */
  agree(key: HpkeKeyPair, publicKey: Uint8Array): Bytes | Promise<Bytes>
  /** What a fresh key shares with `publicKey`, and its public half: from the platform's randomness. */
  agreeOnce?(publicKey: Uint8Array): { kemOutput: Bytes; shared: Bytes }
}

export interface HpkePlatform extends Kdf, Pick<SecretSuite, 'aeadSeal' | 'aeadOpen' | 'random'> {
  readonly suite: CipherSuite
  readonly group: DhGroup
}

/** RFC 9180 §7. HPKE's KDF and that of its KEM are the same in every MLS suite. */
const kemIds: Readonly<Record<KemCurve, number>> = {
  'P-256': 0x0010,
  'P-384': 0x0011,
  'P-521': 0x0012,
  X25519: 0x0020,
  X448: 0x0021,
}
const kdfIds: Readonly<Record<HashName, number>> = { 'SHA-256': 1, 'SHA-384': 2, 'SHA-512': 3 }
const aeadIds: Readonly<Record<AeadName, number>> = {
  'AES-128-GCM': 1,
  'AES-256-GCM': 2,
  'ChaCha20-Poly1305': 3,
}

type Hpke = Pick<
  SecretSuite,
  'deriveKeyPair' | 'hpkeSeal' | 'hpkeSealAll' | 'hpkeOpen' | 'hpkeSealExport' | 'hpkeOpenExport'
>

/**
 * HPKE in base mode (RFC 9180), composed from a platform's Diffie-Hellman, KDF and AEAD: general
 * libraries import each key through an encoding, which costs several times the work itself.
 */
export function composeHpke(platform: HpkePlatform): Hpke {
  const { suite, group } = platform
  const [kemId, kdfId, aeadId] = [kemIds[suite.kem], kdfIds[suite.hash], aeadIds[suite.aead]]
  const kem = labeled(platform, concatBytes(utf8('KEM'), uint(kemId, 2)))
  const hpke = labeled(
    platform,
    concatBytes(utf8('HPKE'), uint(kemId, 2), uint(kdfId, 2), uint(aeadId, 2)),
  )
  const pskIdHash = hpke.extract(emptyBytes, 'psk_id_hash', emptyBytes)

  /** §7.1.3 */
  const deriveKeyPair = async (inputKey: Secret): Promise<HpkeKeyPair> => {
    const prk = kem.extract(emptyBytes, 'dkp_prk', inputKey.expose())
    const privateKey = new Secret(
      derivePrivateKey(suite, (label, context, length) => kem.expand(prk, label, context, length)),
    )
    prk.fill(0)
    return { privateKey, publicKey: await group.publicKey(privateKey) }
  }

  /** From the DH output to the key schedule's `secret` (§4.1 ExtractAndExpand, §5.1 KeySchedule). */
  const scheduleSecret = (dh: Bytes, kemOutput: Uint8Array, recipient: Uint8Array): Bytes => {
    const prk = kem.extract(emptyBytes, 'eae_prk', dh)
    dh.fill(0)
    const shared = kem.expand(prk, 'shared_secret', concatBytes(kemOutput, recipient), suite.Nh)
    prk.fill(0)
    const secret = hpke.extract(shared, 'secret', emptyBytes)
    shared.fill(0)
    return secret
  }

  /** An ephemeral key from the injected randomness, so that a run can be replayed. */
  const agreeOnce = async (publicKey: Uint8Array) => {
    const seed = new Secret(platform.random(suite.Nsk))
    const ephemeral = await deriveKeyPair(seed)
    seed.wipe()
    try {
      return { kemOutput: ephemeral.publicKey, shared: await group.agree(ephemeral, publicKey) }
    } finally {
      ephemeral.privateKey.wipe()
    }
  }

  /** @throws CryptoError `crypto-invalid-key` */
  const encapsulate = async (publicKey: Uint8Array) => {
    if (!canSealTo(suite, publicKey)) {
      throw new CryptoError('crypto-invalid-key', 'the public key cannot be sealed to')
    }
    const { kemOutput, shared } = group.agreeOnce?.(publicKey) ?? (await agreeOnce(publicKey))
    return { kemOutput, secret: scheduleSecret(shared, kemOutput, publicKey) }
  }

  /** @throws CryptoError `crypto-open-failed` */
  const decapsulate = async (key: HpkeKeyPair, kemOutput: Uint8Array): Promise<Bytes> => {
    // A wiped key is the caller's mistake and is not blamed on the ciphertext.
    key.privateKey.expose()
    if (!canSealTo(suite, kemOutput)) throw openFailed(undefined)
    try {
      return scheduleSecret(await group.agree(key, kemOutput), kemOutput, key.publicKey)
    } catch (cause) {
      throw openFailed(cause)
    }
  }

  /** §5.1 */
  const scheduleContext = (info: Uint8Array) =>
    concatBytes(modeBase, pskIdHash, hpke.extract(emptyBytes, 'info_hash', info))

  /** The key and the nonce of the one message that a context seals in MLS. */
  const messageKey = (secret: Bytes, context: Bytes) => {
    const key = new Secret(hpke.expand(secret, 'key', context, suite.Nk))
    const nonce = hpke.expand(secret, 'base_nonce', context, suite.Nn)
    secret.fill(0)
    return { key, nonce }
  }

  const seal = async (publicKey: Uint8Array, context: Bytes, plaintext: Uint8Array) => {
    const { kemOutput, secret } = await encapsulate(publicKey)
    const { key, nonce } = messageKey(secret, context)
    const ciphertext = await platform.aeadSeal(key, nonce, emptyBytes, plaintext)
    key.wipe()
    return { kemOutput, ciphertext }
  }

  /** §5.3 */
  const exportFrom = (secret: Bytes, info: Uint8Array, context: Uint8Array, length: number) => {
    const exporter = hpke.expand(secret, 'exp', scheduleContext(info), suite.Nh)
    secret.fill(0)
    try {
      return new Secret(hpke.expand(exporter, 'sec', context, length))
    } finally {
      exporter.fill(0)
    }
  }

  return {
    deriveKeyPair,
    hpkeSeal: (publicKey, info, plaintext) => seal(publicKey, scheduleContext(info), plaintext),
    hpkeSealAll: (info, recipients) => {
      const context = scheduleContext(info)
      return Promise.all(
        recipients.map(({ publicKey, plaintext }) => seal(publicKey, context, plaintext)),
      )
    },
    hpkeOpen: async (recipient, info, { kemOutput, ciphertext }) => {
      const { key, nonce } = messageKey(
        await decapsulate(recipient, kemOutput),
        scheduleContext(info),
      )
      try {
        return await platform.aeadOpen(key, nonce, emptyBytes, ciphertext)
      } finally {
        key.wipe()
      }
    },
    hpkeSealExport: async (publicKey, info, exporterContext, length) => {
      const { kemOutput, secret } = await encapsulate(publicKey)
      return { kemOutput, exported: exportFrom(secret, info, exporterContext, length) }
    },
    hpkeOpenExport: async (recipient, kemOutput, info, exporterContext, length) =>
      exportFrom(await decapsulate(recipient, kemOutput), info, exporterContext, length),
  }
}

const modeBase = Uint8Array.of(0)
const hpkeVersion = utf8('HPKE-v1')

/** §4: LabeledExtract and LabeledExpand under one suite_id. */
function labeled(kdf: Kdf, suiteId: Bytes) {
  const prefixes = new Map<string, Bytes>()
  /** What stands before the data under a label; there are as many labels as RFC 9180 has. */
  const prefix = (label: string): Bytes => {
    const known = prefixes.get(label)
    if (known !== undefined) return known
    const made = concatBytes(hpkeVersion, suiteId, utf8(label))
    prefixes.set(label, made)
    return made
  }
  return {
    extract: (salt: Bytes, label: string, inputKey: Uint8Array) => {
      const labeledKey = concatBytes(prefix(label), inputKey)
      const prk = kdf.extract(salt, labeledKey)
      labeledKey.fill(0)
      return prk
    },
    expand: (prk: Bytes, label: string, info: Uint8Array, length: number) =>
      kdf.expand(prk, concatBytes(uint(length, 2), prefix(label), info), length),
  }
}

/** §7.1.3. On NIST curves candidates are drawn until one is a scalar, which the first nearly always is. */
function derivePrivateKey(
  { kem, Nsk }: CipherSuite,
  expand: (label: string, context: Bytes, length: number) => Bytes,
): Bytes {
  if (!isNist(kem)) return expand('sk', emptyBytes, Nsk)
  for (let counter = 0; counter < 256; counter++) {
    const candidate = expand('candidate', uint(counter, 1), Nsk)
    if (kem === 'P-521') candidate[0] = (candidate[0] as number) & 1
    if (nistCurves[kem].utils.isValidSecretKey(candidate)) return candidate
  }
  throw new CryptoError('crypto-invalid-key', 'no key can be derived from this input')
}

function uint(value: number, size: 1 | 2): Bytes {
  return size === 1 ? Uint8Array.of(value) : Uint8Array.of(value >> 8, value & 0xff)
}
