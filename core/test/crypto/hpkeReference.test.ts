import { utf8 } from '@conclave/core/codec'
import { Secret } from '@conclave/core/crypto/secret'
import {
  Aes128Gcm,
  Aes256Gcm,
  DhkemP256HkdfSha256,
  DhkemP384HkdfSha384,
  DhkemP521HkdfSha512,
  DhkemX448HkdfSha512,
  DhkemX25519HkdfSha256,
  HkdfSha256,
  HkdfSha384,
  HkdfSha512,
  CipherSuite as ReferenceHpke,
} from '@hpke/core'
import { describe, expect, it } from 'vitest'
import { seededRandom, suiteWith } from './suite.ts'

const message = utf8('message')
const info = utf8('info')
const context = utf8('exporter context')
const filled = (length: number, byte: number) => new Secret(new Uint8Array(length).fill(byte))

describe('HPKE as @hpke/core does it', () => {
  it.each([
    [1, new DhkemX25519HkdfSha256(), new HkdfSha256(), new Aes128Gcm()],
    [2, new DhkemP256HkdfSha256(), new HkdfSha256(), new Aes128Gcm()],
    [4, new DhkemX448HkdfSha512(), new HkdfSha512(), new Aes256Gcm()],
    [5, new DhkemP521HkdfSha512(), new HkdfSha512(), new Aes256Gcm()],
    [7, new DhkemP384HkdfSha384(), new HkdfSha384(), new Aes256Gcm()],
  ] as const)('in suite %i: keys, sealing, opening and exports', async (id, kem, kdf, aead) => {
    const reference = new ReferenceHpke({ kem, kdf, aead })
    const suite = suiteWith(seededRandom('ephemeral'), id)
    const { Nh, Nsk } = suite.suite
    const theirs = await kem.deriveKeyPair(filled(Nh, 1).expose())
    const ours = await suite.deriveKeyPair(filled(Nh, 1))
    expect(ours.publicKey).toEqual(new Uint8Array(await kem.serializePublicKey(theirs.publicKey)))
    const recipient = { recipientPublicKey: theirs.publicKey, info }

    const sealed = await suite.hpkeSeal(ours.publicKey, info, message)
    const again = await reference.seal(
      { ...recipient, ekm: seededRandom('ephemeral')(Nsk) },
      message,
    )
    expect(sealed.kemOutput).toEqual(new Uint8Array(again.enc))
    expect(sealed.ciphertext).toEqual(new Uint8Array(again.ct))
    const fresh = await reference.seal(recipient, message)
    const opened = await suite.hpkeOpen(ours, info, {
      kemOutput: new Uint8Array(fresh.enc),
      ciphertext: new Uint8Array(fresh.ct),
    })
    expect(opened).toEqual(message)

    const { kemOutput, exported } = await suite.hpkeSealExport(ours.publicKey, info, context, 99)
    const receiver = await reference.createRecipientContext({
      recipientKey: theirs.privateKey,
      enc: kemOutput,
      info,
    })
    expect(exported.expose()).toEqual(new Uint8Array(await receiver.export(context, 99)))
  })
})
