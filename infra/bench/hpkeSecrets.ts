import { concatBytes, utf8 } from '../../core/src/codec/bytes.ts'

type Source = Uint8Array

/** HMAC over the parts in a row, with SHA-256. */
export type Mac = (key: Source, ...data: readonly Source[]) => Source

/**
 * What HPKE derives in base mode for DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM (RFC
 * 9180), for the floor: core's own is not used, so that the floor does not rise with it.
 */
export function hpkeSecrets(mac: Mac) {
  const labeledExtract = (suite: Source, salt: Source, label: string, inputKey: Source) =>
    mac(salt, hpkeVersion, suite, utf8(label), inputKey)
  const labeledExpand = (suite: Source, key: Source, label: string, info: Source, length = 32) => {
    const head = Uint8Array.of(0, length)
    const parts = [head, hpkeVersion, suite, utf8(label), info, firstBlock]
    return mac(key, concatBytes(...parts)).subarray(0, length)
  }
  /** The same for every message in base mode. */
  const pskIdHash = labeledExtract(hpkeSuite, emptySource, 'psk_id_hash', emptySource)
  const scheduleContext = (info: Source) => {
    const infoHash = labeledExtract(hpkeSuite, emptySource, 'info_hash', info)
    return concatBytes(Uint8Array.of(0), pskIdHash, infoHash)
  }
  return {
    /** §7.1.3: the private key. */
    privateKey: (inputKey: Source): Source =>
      labeledExpand(
        kemSuite,
        labeledExtract(kemSuite, emptySource, 'dkp_prk', inputKey),
        'sk',
        emptySource,
      ),
    /** §4.1, ExtractAndExpand. */
    kemSecret: (shared: Source, kemOutput: Source, recipient: Source): Source => {
      const secret = labeledExtract(kemSuite, emptySource, 'eae_prk', shared)
      const context = concatBytes(kemOutput, recipient)
      return labeledExpand(kemSuite, secret, 'shared_secret', context)
    },
    /** §5.1, of the one message that a context seals in MLS. */
    messageKey: (sharedSecret: Source, info: Source): { key: Source; nonce: Source } => {
      const context = scheduleContext(info)
      const secret = labeledExtract(hpkeSuite, sharedSecret, 'secret', emptySource)
      return {
        key: labeledExpand(hpkeSuite, secret, 'key', context, 16),
        nonce: labeledExpand(hpkeSuite, secret, 'base_nonce', context, 12),
      }
    },
    /** §5.3 */
    exported: (sharedSecret: Source, exporterContext: Source): Source => {
      const secret = labeledExtract(hpkeSuite, sharedSecret, 'secret', emptySource)
      const exporter = labeledExpand(hpkeSuite, secret, 'exp', scheduleContext(emptySource))
      return labeledExpand(hpkeSuite, exporter, 'sec', exporterContext)
    },
  }
}

const emptySource = new Uint8Array(0)
const firstBlock = Uint8Array.of(1)
const kemSuite = concatBytes(utf8('KEM'), Uint8Array.of(0, 0x20))
const hpkeSuite = concatBytes(utf8('HPKE'), Uint8Array.of(0, 0x20, 0, 1, 0, 1))
const hpkeVersion = utf8('HPKE-v1')
