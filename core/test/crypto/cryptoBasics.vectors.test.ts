import { decode, encode, fromHex, toHex } from '@conclave/core/codec'
import {
  makeKeyPackageRef,
  makeProposalRef,
  refHash,
  verifyWithLabel,
} from '@conclave/core/crypto/public'
import {
  decryptWithLabel,
  deriveSecret,
  deriveTreeSecret,
  encryptWithLabel,
  expandWithLabel,
  Secret,
  signWithLabel,
} from '@conclave/core/crypto/secret'
import { KeyPackageTbs, MlsMessage, UnplacedLeafNodeTbs } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { describeVector } from '../vectors.ts'
import { providerNames, seededRandom, suiteIds, suiteWith } from './suite.ts'

interface CryptoBasicsVector {
  readonly cipher_suite: number
  readonly ref_hash: { readonly label: string; readonly value: string; readonly out: string }
  readonly expand_with_label: {
    readonly secret: string
    readonly label: string
    readonly context: string
    readonly length: number
    readonly out: string
  }
  readonly derive_secret: { readonly secret: string; readonly label: string; readonly out: string }
  readonly derive_tree_secret: {
    readonly secret: string
    readonly label: string
    readonly generation: number
    readonly length: number
    readonly out: string
  }
  readonly sign_with_label: {
    readonly priv: string
    readonly pub: string
    readonly content: string
    readonly label: string
    readonly signature: string
  }
  readonly encrypt_with_label: {
    readonly priv: string
    readonly pub: string
    readonly label: string
    readonly context: string
    readonly plaintext: string
    readonly kem_output: string
    readonly ciphertext: string
  }
}

const secret = (hex: string) => new Secret(fromHex(hex))

const combinations = suiteIds.flatMap((id) => providerNames.map((name) => ({ id, name })))

describeVector<readonly CryptoBasicsVector[]>('mls/crypto-basics.json', (vectors) => {
  describe.each(combinations)('suite $id, $name', ({ id, name }) => {
    const vector = vectors.find(({ cipher_suite }) => cipher_suite === id) as CryptoBasicsVector
    const crypto = suiteWith(seededRandom('crypto-basics'), id, name)

    it('RefHash', () => {
      const { label, value, out } = vector.ref_hash
      expect(toHex(refHash(crypto, label, fromHex(value)))).toBe(out)
    })

    it('ExpandWithLabel', () => {
      const { secret: key, label, context, length, out } = vector.expand_with_label
      const expanded = expandWithLabel(crypto, secret(key), label, fromHex(context), length)
      expect(toHex(expanded.expose())).toBe(out)
    })

    it('DeriveSecret', () => {
      const { secret: key, label, out } = vector.derive_secret
      expect(toHex(deriveSecret(crypto, secret(key), label).expose())).toBe(out)
    })

    it('DeriveTreeSecret', () => {
      const { secret: key, label, generation, length, out } = vector.derive_tree_secret
      const derived = deriveTreeSecret(crypto, secret(key), label, generation, length)
      expect(toHex(derived.expose())).toBe(out)
    })

    it("VerifyWithLabel accepts the vector's signature and our own", async () => {
      const { priv, pub, label, content, signature } = vector.sign_with_label
      const signer = await crypto.importSigner(secret(priv))
      expect(toHex(signer.publicKey)).toBe(pub)
      const own = await signWithLabel(signer, label, fromHex(content))
      for (const candidate of [fromHex(signature), own]) {
        const verify = (key: string, under: string, over: string) =>
          verifyWithLabel(crypto, fromHex(key), under, fromHex(over), candidate)
        await expect(verify(pub, label, content)).resolves.toBe(true)
        await expect(verify(pub, `${label}!`, content)).resolves.toBe(false)
        await expect(verify(pub, label, `${content}00`)).resolves.toBe(false)
        await expect(verify(vector.encrypt_with_label.pub, label, content)).resolves.toBe(false)
      }
    })

    it("DecryptWithLabel opens the vector's ciphertext and our own", async () => {
      const { priv, pub, label, context, plaintext, kem_output, ciphertext } =
        vector.encrypt_with_label
      const key = { privateKey: secret(priv), publicKey: fromHex(pub) }
      const theirs = { kemOutput: fromHex(kem_output), ciphertext: fromHex(ciphertext) }
      const own = await encryptWithLabel(
        crypto,
        key.publicKey,
        label,
        fromHex(context),
        fromHex(plaintext),
      )
      for (const sealed of [theirs, own]) {
        const open = (under: string, within: string) =>
          decryptWithLabel(crypto, key, under, fromHex(within), sealed)
        expect(toHex(await open(label, context))).toBe(plaintext)
        const failure = expect.objectContaining({ code: 'crypto-open-failed' })
        await expect(open(`${label}!`, context)).rejects.toEqual(failure)
        await expect(open(label, `${context}00`)).rejects.toEqual(failure)
      }
    })
  })
})

interface WelcomeVector {
  readonly cipher_suite: number
  readonly key_package: string
  readonly welcome: string
}

describeVector<readonly WelcomeVector[]>('mls/welcome.json', (vectors) => {
  const { key_package, welcome } = vectors.find((v) => v.cipher_suite === 1) as WelcomeVector
  const crypto = suiteWith(seededRandom('welcome'))
  const message = decode(MlsMessage, fromHex(key_package))
  if (message.wireFormat !== 5) throw new Error('the vector has no KeyPackage')
  const { keyPackage } = message

  it("a Welcome names its new member by the KeyPackage's reference", () => {
    expect(decode(MlsMessage, fromHex(welcome))).toMatchObject({
      welcome: { secrets: [{ newMember: makeKeyPackageRef(crypto, keyPackage) }] },
    })
  })

  it('the signatures of a KeyPackage and of its leaf verify under their own labels only', async () => {
    const { signatureKey } = keyPackage.leafNode
    const tbs = encode(KeyPackageTbs, keyPackage)
    const leafTbs = encode(UnplacedLeafNodeTbs, keyPackage.leafNode)
    const verify = (label: string, content: typeof tbs, signature: Uint8Array) =>
      verifyWithLabel(crypto, signatureKey, label, content, signature)
    await expect(verify('KeyPackageTBS', tbs, keyPackage.signature)).resolves.toBe(true)
    await expect(verify('LeafNodeTBS', leafTbs, keyPackage.leafNode.signature)).resolves.toBe(true)
    await expect(verify('LeafNodeTBS', tbs, keyPackage.signature)).resolves.toBe(false)
  })
})

interface PassiveVector {
  readonly cipher_suite: number
  readonly epochs: readonly { readonly proposals: readonly string[]; readonly commit: string }[]
}

function publicMessage(hex: string) {
  const message = decode(MlsMessage, fromHex(hex))
  if (message.wireFormat !== 1) throw new Error('not a PublicMessage')
  return message.publicMessage
}

describeVector<readonly PassiveVector[]>('mls/passive-client-handling-commit.json', (vectors) => {
  it("a commit names proposals by their messages' references", () => {
    const crypto = suiteWith(seededRandom('references'))
    let references = 0
    for (const { epochs } of vectors.filter((v) => v.cipher_suite === 1)) {
      for (const { proposals, commit } of epochs) {
        const known = proposals.map((hex) => {
          const { content, auth } = publicMessage(hex)
          return toHex(makeProposalRef(crypto, { wireFormat: 1, content, auth }))
        })
        const { content } = publicMessage(commit)
        if (content.contentType !== 3) throw new Error('not a commit')
        for (const item of content.commit.proposals) {
          if (item.type !== 2) continue
          references++
          expect(known).toContain(toHex(item.reference))
        }
      }
    }
    expect(references).toBeGreaterThan(0)
  })
})
