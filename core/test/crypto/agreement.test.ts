import { toHex, utf8 } from '@conclave/core/codec'
import { type HpkeKeyPair, Secret, type SecretSuite, webCrypto } from '@conclave/core/crypto/secret'
import { describe, expect, it } from 'vitest'
import { providerNames, seededRandom, suiteIds, suiteWith } from './suite.ts'

const message = utf8('message')
const info = utf8('info')
const context = utf8('exporter context')
const aad = utf8('header')
const filled = (length: number, byte: number) => new Secret(new Uint8Array(length).fill(byte))

/** What a provider makes of the same input and randomness, up to ECDSA's signatures. */
async function transcript(suite: SecretSuite) {
  const { Nh, Nk, Nn } = suite.suite
  const own = await suite.deriveKeyPair(filled(Nh, 1))
  const sealed = await suite.hpkeSeal(own.publicKey, info, message)
  const agreed = await suite.hpkeSealExport(own.publicKey, info, context, Nh)
  const many = await suite.hpkeSealAll(info, [
    { publicKey: own.publicKey, plaintext: message },
    { publicKey: sealed.kemOutput, plaintext: info },
  ])
  const signer = await suite.generateSigner()
  const curve = suite.suite.signature
  return {
    hash: toHex(suite.hash(message)),
    mac: toHex(suite.mac(aad, message)),
    prk: toHex(suite.extract(aad, message)),
    longMac: toHex(suite.mac(new Uint8Array(200), new Uint8Array(70_000))),
    expanded: toHex(suite.expand(new Uint8Array(Nh), info, 3 * Nh + 1)),
    aead: toHex(await suite.aeadSeal(filled(Nk, 2), new Uint8Array(Nn).fill(3), aad, message)),
    privateKey: toHex(own.privateKey.expose()),
    publicKey: toHex(own.publicKey),
    sealed: [sealed, ...many].map(
      ({ kemOutput, ciphertext }) => toHex(kemOutput) + toHex(ciphertext),
    ),
    exported: toHex(agreed.kemOutput) + toHex(agreed.exported.expose()),
    signatureKey: toHex(signer.publicKey),
    signature: curve === 'Ed25519' || curve === 'Ed448' ? toHex(await signer.sign(message)) : '',
  }
}

describe.each(suiteIds)('suite %i', (id) => {
  it('gives the same bytes in every provider', async () => {
    const seeded = (name: string) => suiteWith(seededRandom('agreement'), id, name)
    const expected = await transcript(seeded('noble'))
    for (const name of providerNames) {
      expect(await transcript(seeded(name)), name).toEqual(expected)
    }
  })

  it('opens and verifies in each provider what another sealed and signed', async () => {
    const suites = providerNames.map((name) => suiteWith(seededRandom(name), id, name))
    const [first] = suites
    if (first === undefined) throw new Error('no provider')
    const own: HpkeKeyPair = await first.deriveKeyPair(filled(first.suite.Nh, 1))
    for (const sender of suites) {
      const signer = await sender.importSigner(signatureKey(sender))
      const signature = await signer.sign(message)
      const sealed = await sender.hpkeSeal(own.publicKey, info, message)
      const { kemOutput, exported } = await sender.hpkeSealExport(own.publicKey, info, context, 99)
      for (const receiver of suites) {
        expect(await receiver.verify(signer.publicKey, message, signature)).toBe(true)
        expect(await receiver.verify(signer.publicKey, info, signature)).toBe(false)
        expect(await receiver.hpkeOpen(own, info, sealed)).toEqual(message)
        const opened = await receiver.hpkeOpenExport(own, kemOutput, info, context, 99)
        expect(opened.equals(exported)).toBe(true)
      }
    }
  })
})

function signatureKey({ suite }: SecretSuite): Secret {
  return filled(suite.signature === 'Ed448' ? 57 : suite.Nsk, 1)
}

it('a browser whose WebCrypto gives no public half of a key derives the same', async () => {
  const subtle = new Proxy(crypto.subtle, {
    get: (target, name) =>
      name === 'getPublicKey' ? undefined : Reflect.get(target, name).bind(target),
  })
  const suite = webCrypto(subtle, seededRandom('agreement')).secretSuite(1)
  if (suite === undefined) throw new Error('suite 1 is missing')
  const noble = suiteWith(seededRandom('agreement'), 1, 'noble')
  expect(await transcript(suite)).toEqual(await transcript(noble))
})

describe('a browser whose WebCrypto has AES-GCM alone', () => {
  const importAes: SubtleCrypto['importKey'] = async (...args: unknown[]) => {
    const [, , algorithm] = args as [unknown, unknown, Algorithm]
    if (algorithm.name !== 'AES-GCM') throw new DOMException('no such key', 'NotSupportedError')
    return Reflect.apply(crypto.subtle.importKey, crypto.subtle, args)
  }
  const subtle = new Proxy(crypto.subtle, {
    get: (target, name) =>
      name === 'importKey' ? importAes : Reflect.get(target, name).bind(target),
  })

  it.each(suiteIds)('has suite %i all the same', async (id) => {
    const suite = webCrypto(subtle, seededRandom('agreement')).secretSuite(id)
    if (suite === undefined) throw new Error(`suite ${id} is missing`)
    const noble = suiteWith(seededRandom('agreement'), id, 'noble')
    expect(await transcript(suite)).toEqual(await transcript(noble))
    const signer = await suite.importSigner(signatureKey(suite))
    const signature = await signer.sign(message)
    expect(await suite.verify(signer.publicKey, message, signature)).toBe(true)
    expect(await suite.verify(signer.publicKey, info, signature)).toBe(false)
  })
})
