import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { confirmedTranscriptHash, interimTranscriptHash } from '../../src/mls/public/transcript.ts'
import {
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
  deriveWelcomeSecret,
  exportSecret,
} from '../../src/mls/treekem/keySchedule.ts'
import { derivePskSecret } from '../../src/mls/treekem/preSharedKeys.ts'
import { AuthenticatedContent, GroupContext } from '../../src/wire/index.ts'
import { ProtocolVersion, PskType } from '../../src/wire/registry.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface KeyScheduleVector {
  cipher_suite: number
  group_id: string
  initial_init_secret: string
  epochs: {
    tree_hash: string
    commit_secret: string
    psk_secret: string
    confirmed_transcript_hash: string
    group_context: string
    joiner_secret: string
    welcome_secret: string
    init_secret: string
    sender_data_secret: string
    encryption_secret: string
    exporter_secret: string
    epoch_authenticator: string
    external_secret: string
    confirmation_key: string
    membership_key: string
    resumption_psk: string
    external_pub: string
    exporter: { label: string; context: string; length: number; secret: string }
  }[]
}

const hexOf = (secret: Secret) => toHex(secret.expose())

describeVector<KeyScheduleVector[]>('mls/key-schedule.json', (vectors) => {
  it.each(implemented(vectors))('suite $cipher_suite derives every secret', async (vector) => {
    const crypto = suite(vector.cipher_suite)
    let initSecret = new Secret(fromHex(vector.initial_init_secret))
    for (const [i, epoch] of vector.epochs.entries()) {
      const context: GroupContext = {
        version: ProtocolVersion.mls10,
        cipherSuite: vector.cipher_suite,
        groupId: fromHex(vector.group_id),
        epoch: BigInt(i),
        treeHash: fromHex(epoch.tree_hash),
        confirmedTranscriptHash: fromHex(epoch.confirmed_transcript_hash),
        extensions: [],
      }
      expect(toHex(encode(GroupContext, context))).toBe(epoch.group_context)
      const commitSecret = new Secret(fromHex(epoch.commit_secret))
      const joiner = deriveJoinerSecret(crypto, initSecret, commitSecret, context)
      expect(hexOf(joiner)).toBe(epoch.joiner_secret)
      const member = deriveMemberSecret(crypto, joiner, new Secret(fromHex(epoch.psk_secret)))
      expect(hexOf(deriveWelcomeSecret(crypto, member))).toBe(epoch.welcome_secret)
      const secrets = deriveEpochSecrets(crypto, member, context)
      expect(hexOf(secrets.initSecret)).toBe(epoch.init_secret)
      expect(hexOf(secrets.senderDataSecret)).toBe(epoch.sender_data_secret)
      expect(hexOf(secrets.encryptionSecret)).toBe(epoch.encryption_secret)
      expect(hexOf(secrets.exporterSecret)).toBe(epoch.exporter_secret)
      expect(hexOf(secrets.epochAuthenticator)).toBe(epoch.epoch_authenticator)
      expect(hexOf(secrets.externalSecret)).toBe(epoch.external_secret)
      expect(hexOf(secrets.confirmationKey)).toBe(epoch.confirmation_key)
      expect(hexOf(secrets.membershipKey)).toBe(epoch.membership_key)
      expect(hexOf(secrets.resumptionPsk)).toBe(epoch.resumption_psk)
      const external = await crypto.deriveKeyPair(secrets.externalSecret)
      expect(toHex(external.publicKey)).toBe(epoch.external_pub)
      const { label, context: exportContext, length, secret } = epoch.exporter
      const exported = exportSecret(crypto, secrets, label, fromHex(exportContext), length)
      expect(hexOf(exported)).toBe(secret)
      initSecret = secrets.initSecret
    }
  })
})

interface PskVector {
  cipher_suite: number
  psks: { psk_id: string; psk: string; psk_nonce: string }[]
  psk_secret: string
}

describeVector<PskVector[]>('mls/psk_secret.json', (vectors) => {
  it.each(implemented(vectors))('chaining pre-shared keys %# gives psk_secret', (vector) => {
    const psks = vector.psks.map(({ psk_id, psk, psk_nonce }) => ({
      id: { pskType: PskType.external, pskId: fromHex(psk_id), pskNonce: fromHex(psk_nonce) },
      key: new Secret(fromHex(psk)),
    }))
    expect(hexOf(derivePskSecret(suite(vector.cipher_suite), psks))).toBe(vector.psk_secret)
  })
})

interface TranscriptVector {
  cipher_suite: number
  confirmation_key: string
  authenticated_content: string
  interim_transcript_hash_before: string
  confirmed_transcript_hash_after: string
  interim_transcript_hash_after: string
}

describeVector<TranscriptVector[]>('mls/transcript-hashes.json', (vectors) => {
  it.each(implemented(vectors))('suite $cipher_suite chains its transcript', (vector) => {
    const crypto = suite(vector.cipher_suite)
    const { wireFormat, content, auth } = decode(
      AuthenticatedContent,
      fromHex(vector.authenticated_content),
    )
    const { signature, confirmationTag = new Uint8Array(0) } = auth
    const before = fromHex(vector.interim_transcript_hash_before)
    const confirmed = confirmedTranscriptHash(crypto, before, { wireFormat, content, signature })
    expect(toHex(confirmed)).toBe(vector.confirmed_transcript_hash_after)
    expect(crypto.mac(fromHex(vector.confirmation_key), confirmed)).toEqual(confirmationTag)
    const interim = interimTranscriptHash(crypto, confirmed, confirmationTag)
    expect(toHex(interim)).toBe(vector.interim_transcript_hash_after)
  })
})
