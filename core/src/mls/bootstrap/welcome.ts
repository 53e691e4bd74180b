import { type Bytes, emptyBytes, equalBytes } from '../../codec/bytes.ts'
import { CodecError } from '../../codec/codecError.ts'
import { decode, encode } from '../../codec/tls.ts'
import { CryptoError } from '../../crypto/cryptoError.ts'
import { makeKeyPackageRef } from '../../crypto/public/refHash.ts'
import { decryptWithLabel, encryptAllWithLabel } from '../../crypto/secret/labels.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import type { PreSharedKeyId } from '../../wire/proposal.ts'
import type { HpkeCiphertext } from '../../wire/ratchetTree.ts'
import { PskType, ResumptionPskUsage } from '../../wire/registry.ts'
import { GroupInfo, GroupSecrets, type Welcome } from '../../wire/welcome.ts'
import { MlsError } from '../mlsError.ts'
import {
  deriveMemberSecret,
  deriveWelcomeSecret,
  welcomeKeyAndNonce,
} from '../treekem/keySchedule.ts'
import { derivePskSecret, type PreSharedKeyInput } from '../treekem/preSharedKeys.ts'
import type { KeyPackageBundle } from './keyPackageBundle.ts'

const welcomeLabel = 'Welcome'

export interface Newcomer {
  readonly keyPackage: KeyPackage
  /** Present if the commit had a path. */
  readonly pathSecret: Secret | undefined
}

/** RFC 9420 §12.4.3.1, the committer's side. */
export async function sealWelcome(
  crypto: SecretSuite,
  newcomers: readonly Newcomer[],
  joinerSecret: Secret,
  memberSecret: Secret,
  psks: readonly PreSharedKeyId[],
  groupInfo: GroupInfo,
): Promise<Welcome> {
  const encryptedGroupInfo = await withWelcomeKey(crypto, memberSecret, (key, nonce) =>
    crypto.aeadSeal(key, nonce.expose(), emptyBytes, encode(GroupInfo, groupInfo)),
  )
  const recipients = newcomers.map(({ keyPackage, pathSecret }) => ({
    publicKey: keyPackage.initKey,
    plaintext: encode(GroupSecrets, {
      joinerSecret: joinerSecret.expose(),
      pathSecret: pathSecret && { pathSecret: pathSecret.expose() },
      psks,
    }),
  }))
  const sealed = await encryptAllWithLabel(crypto, welcomeLabel, encryptedGroupInfo, recipients)
  for (const { plaintext } of recipients) plaintext.fill(0)
  const secrets = newcomers.map(({ keyPackage }, i) => ({
    newMember: makeKeyPackageRef(crypto, keyPackage),
    encryptedGroupSecrets: sealed[i] as HpkeCiphertext,
  }))
  return { cipherSuite: crypto.suite.id, secrets, encryptedGroupInfo }
}

export interface OpenedWelcome {
  readonly groupInfo: GroupInfo
  /** From which the epoch's secrets follow. */
  readonly memberSecret: Secret
  readonly pathSecret: Secret | undefined
  readonly psks: readonly PreSharedKeyId[]
}

/**
 * RFC 9420 §12.4.3.1 up to the GroupInfo, which is authenticated only by the Welcome so far.
 * @throws MlsError `welcome-…`
 */
export async function openWelcome(
  crypto: SecretSuite,
  welcome: Welcome,
  bundle: KeyPackageBundle,
  preSharedKey: (id: PreSharedKeyId) => Secret | undefined,
): Promise<OpenedWelcome> {
  if (welcome.cipherSuite !== bundle.keyPackage.cipherSuite) {
    throw new MlsError('welcome-suite-mismatch', 'the Welcome is of another cipher suite')
  }
  const { secrets, encryptedGroupInfo } = welcome
  const ours = secrets.find(({ newMember }) => equalBytes(newMember, bundle.ref))
  if (ours === undefined) throw new MlsError('welcome-not-for-us', 'no secret for our KeyPackage')

  const { joinerSecret, pathSecret, psks } = await opened(async () => {
    const plaintext = await decryptWithLabel(
      crypto,
      bundle.initKey,
      welcomeLabel,
      encryptedGroupInfo,
      ours.encryptedGroupSecrets,
    )
    try {
      const groupSecrets = decode(GroupSecrets, plaintext)
      return {
        joinerSecret: new Secret(groupSecrets.joinerSecret),
        pathSecret: groupSecrets.pathSecret && new Secret(groupSecrets.pathSecret.pathSecret),
        psks: groupSecrets.psks,
      }
    } finally {
      plaintext.fill(0)
    }
  })
  let memberSecret: Secret | undefined
  try {
    const pskSecret = derivePskSecret(crypto, findPsks(psks, preSharedKey))
    memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
    pskSecret.wipe()
    const groupInfo = await openGroupInfo(crypto, memberSecret, encryptedGroupInfo)
    return { groupInfo, memberSecret, pathSecret, psks }
  } catch (error) {
    memberSecret?.wipe()
    pathSecret?.wipe()
    throw error
  } finally {
    joinerSecret.wipe()
  }
}

function openGroupInfo(
  crypto: SecretSuite,
  memberSecret: Secret,
  encryptedGroupInfo: Bytes,
): Promise<GroupInfo> {
  return opened(() =>
    withWelcomeKey(crypto, memberSecret, async (key, nonce) =>
      decode(GroupInfo, await crypto.aeadOpen(key, nonce.expose(), emptyBytes, encryptedGroupInfo)),
    ),
  )
}

/**
 * §12.4.3.1: every key has to be at hand, and one that continues another group stands for itself.
 * @throws MlsError `welcome-psk-invalid`
 */
function findPsks(
  ids: readonly PreSharedKeyId[],
  preSharedKey: (id: PreSharedKeyId) => Secret | undefined,
): readonly PreSharedKeyInput[] {
  const continued = ids.filter(continuesGroup)
  if (continued.length > 1) {
    throw new MlsError('welcome-psk-invalid', 'a group continues one other at most')
  }
  if (continued.some(({ usage }) => !waysToContinue.includes(usage))) {
    throw new MlsError('welcome-psk-invalid', 'a resumption key of a usage that nobody knows')
  }
  return ids.map((id) => {
    const key = preSharedKey(id)
    if (key === undefined) throw new MlsError('welcome-psk-invalid', 'a pre-shared key is missing')
    return { id, key }
  })
}

const waysToContinue: readonly number[] = [ResumptionPskUsage.reInit, ResumptionPskUsage.branch]

/** §8.4: a resumption key of usage `reinit` or `branch`, or of none that there is. */
export function continuesGroup(id: PreSharedKeyId): id is ContinuedGroupId {
  return id.pskType === PskType.resumption && id.usage !== ResumptionPskUsage.application
}

export type ContinuedGroupId = Extract<PreSharedKeyId, { pskType: typeof PskType.resumption }>

async function withWelcomeKey<T>(
  crypto: SecretSuite,
  memberSecret: Secret,
  use: (key: Secret, nonce: Secret) => Promise<T>,
): Promise<T> {
  const welcomeSecret = deriveWelcomeSecret(crypto, memberSecret)
  const { key, nonce } = welcomeKeyAndNonce(crypto, welcomeSecret)
  try {
    return await use(key, nonce)
  } finally {
    for (const secret of [welcomeSecret, key, nonce]) secret.wipe()
  }
}

async function opened<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    if (!(cause instanceof CryptoError || cause instanceof CodecError)) throw cause
    throw new MlsError('welcome-undecryptable', 'the Welcome cannot be opened', { cause })
  }
}
