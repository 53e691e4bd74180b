import { X509Certificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, utf8 } from '../../src/codec/bytes.ts'
import { readCertificate, subjectOf } from '../../src/credentials/certificate.ts'
import { x509Validator } from '../../src/credentials/index.ts'
import type { PublicCrypto, PublicSuite } from '../../src/crypto/public/index.ts'
import { refusal } from '../mls/refusals.ts'
import {
  alternativeNames,
  authority,
  credentialOf,
  extension,
  generateKeys,
  type Holder,
  issue,
  issueAuthority,
  issueMember,
  type Kind,
  mayEncrypt,
  mayIssue,
  maySign,
  noAuthority,
  signatureKeyOf,
  suiteOfKind,
  trustIn,
  validate,
} from './certificates.ts'
import { issueEd448 } from './ed448.ts'

async function family() {
  const root = await issueAuthority('Root')
  const middle = await issueAuthority('Middle', { issuer: root })
  return { root, middle, ann: await issueMember('Ann', middle) }
}

describe('an X.509 chain', () => {
  it('from a root by way of an intermediate is accepted, with or without the root', async () => {
    const { root, middle, ann } = await family()
    const trust = trustIn([root])
    const subject = await validate(trust, credentialOf(ann, middle), ann)
    expect(subject.attributes).toEqual([{ type: '2.5.4.3', value: 'Ann' }])
    expect(subject.certificate).toEqual(ann.der)
    await validate(trust, credentialOf(ann, middle, root), ann)
    expect(new X509Certificate(ann.der).checkIssued(new X509Certificate(middle.der))).toBe(true)
  })

  it('straight from a root is accepted', async () => {
    const root = await issueAuthority('Root')
    const ann = await issueMember('Ann', root)
    await validate(trustIn([root]), credentialOf(ann), ann)
  })

  it('whose intermediate is itself a root needs no more, and may have more', async () => {
    const { root, middle, ann } = await family()
    for (const chain of [[ann], [ann, middle], [ann, middle, root]]) {
      await validate(trustIn([middle]), credentialOf(...chain), ann)
    }
  })

  it.each<[Kind, Kind]>([
    ['Ed25519', 'P-256'],
    ['P-256', 'P-384'],
    ['P-384', 'P-521'],
    ['P-521', 'RSA'],
    ['Ed25519', 'RSA'],
  ])('of a %s key under %s authorities is accepted', async (kind, rootKind) => {
    const root = await issueAuthority('Root', { kind: rootKind })
    const middle = await issueAuthority('Middle', { kind: rootKind, issuer: root })
    const ann = await issueMember('Ann', middle, { kind })
    await validate(trustIn([root]), credentialOf(ann, middle), ann)
    const node = new X509Certificate(ann.der)
    expect(node.verify(new X509Certificate(middle.der).publicKey)).toBe(true)
  })

  it('of Ed448 keys is accepted', async () => {
    const root = await issueEd448('Root', undefined, [authority(), mayIssue])
    const ann = await issueEd448('Ann', root)
    const validator = x509Validator({ ...trustIn([]), roots: [root.der] })
    const suite = suiteOfKind('Ed448')
    const subject = await validator.validate(
      credentialOf(ann.der),
      suite,
      ann.signatureKey,
      'receiver',
    )
    expect(subject.attributes).toEqual([{ type: '2.5.4.3', value: 'Ann' }])
  })

  it('finds the root among several of the same name', async () => {
    const [old, current] = [await issueAuthority('Root'), await issueAuthority('Root')]
    const ann = await issueMember('Ann', current)
    await validate(trustIn([old, current]), credentialOf(ann), ann)
  })

  it('has its authorities’ signatures verified once, and each leaf’s', async () => {
    const { root, middle, ann } = await family()
    const bob = await issueMember('Bob', middle)
    const trust = trustIn([root])
    let verified = 0
    const counting: PublicCrypto = {
      publicSuite: (id) => {
        const suite = trust.crypto.publicSuite(id)
        const verify: PublicSuite['verify'] = (...signed) => {
          verified += 1
          return (suite as PublicSuite).verify(...signed)
        }
        return suite && { ...suite, verify }
      },
    }
    const validator = x509Validator({ ...trust, crypto: counting })
    const judge = async (member: Holder) =>
      validator.validate(
        credentialOf(member, middle),
        suiteOfKind('Ed25519'),
        await signatureKeyOf(member),
        'receiver',
      )
    await Promise.all([judge(ann), judge(bob), judge(ann)])
    expect(verified).toBe(1 + 3)
    const impostor = await issueAuthority('Middle', { issuer: await issueAuthority('Root') })
    const eve = await issueMember('Eve', impostor)
    for (const _ of [1, 2]) {
      await expect(
        validator.validate(
          credentialOf(eve, impostor),
          suiteOfKind('Ed25519'),
          await signatureKeyOf(eve),
          'receiver',
        ),
      ).rejects.toEqual(refusal('credential-signature-invalid'))
    }
  })

  it('tells the alternative names that it knows', async () => {
    const root = await issueAuthority('Root')
    const names = [
      { type: 'email', value: 'ann@example.org' },
      { type: 'dns', value: 'ann.example.org' },
      { type: 'url', value: 'im:ann@example.org' },
    ] as const
    const ann = await issueMember('Ann', root, {
      extensions: [maySign, alternativeNames(...names)],
    })
    const subject = await validate(trustIn([root]), credentialOf(ann), ann)
    expect(subject.alternativeNames).toEqual([
      { kind: 'email', name: 'ann@example.org' },
      { kind: 'dns', name: 'ann.example.org' },
      { kind: 'uri', name: 'im:ann@example.org' },
    ])
  })
})

describe('an X.509 chain is refused', () => {
  it('under a root that nobody trusts', async () => {
    const { middle, ann } = await family()
    const other = await issueAuthority('Other')
    await expect(validate(trustIn([other]), credentialOf(ann, middle), ann)).rejects.toEqual(
      refusal('credential-root-unknown'),
    )
    await expect(validate(trustIn([]), credentialOf(ann, middle), ann)).rejects.toEqual(
      refusal('credential-root-unknown'),
    )
  })

  it('that brings its own root', async () => {
    const { root, middle, ann } = await family()
    const other = await issueAuthority('Other')
    await expect(validate(trustIn([other]), credentialOf(ann, middle, root), ann)).rejects.toEqual(
      refusal('credential-root-unknown'),
    )
  })

  it('under another root of the same name', async () => {
    const { middle, ann } = await family()
    const impostor = await issueAuthority('Root')
    await expect(validate(trustIn([impostor]), credentialOf(ann, middle), ann)).rejects.toEqual(
      refusal('credential-signature-invalid'),
    )
  })

  it('with an intermediate that somebody else has signed', async () => {
    const { root, ann } = await family()
    const impostor = await issueAuthority('Middle', { issuer: root })
    await expect(validate(trustIn([root]), credentialOf(ann, impostor), ann)).rejects.toEqual(
      refusal('credential-signature-invalid'),
    )
  })

  it('in another order or with a gap', async () => {
    const { root, middle } = await family()
    const lower = await issueAuthority('Lower', { issuer: middle })
    const ann = await issueMember('Ann', lower)
    const trust = trustIn([root])
    await validate(trust, credentialOf(ann, lower, middle), ann)
    for (const chain of [
      [ann, middle, lower],
      [ann, middle],
      [ann, lower, middle, lower],
    ]) {
      await expect(validate(trust, credentialOf(...chain), ann)).rejects.toEqual(
        refusal('credential-chain-broken'),
      )
    }
  })

  it('for another key, also of another curve', async () => {
    const { root, middle, ann } = await family()
    const trust = trustIn([root])
    const bob = await issueMember('Bob', middle)
    const eve = await issueMember('Eve', middle, { kind: 'P-256' })
    for (const other of [bob, eve]) {
      await expect(validate(trust, credentialOf(ann, middle), other)).rejects.toEqual(
        refusal('credential-key-mismatch'),
      )
    }
    const key = await signatureKeyOf(ann)
    const judged = x509Validator(trust).validate(
      credentialOf(ann, middle),
      suiteOfKind('P-256'),
      key,
      'receiver',
    )
    await expect(judged).rejects.toEqual(refusal('credential-key-mismatch'))
  })

  it('issued by a member, whether it says that it is no authority or says nothing', async () => {
    const { root } = await family()
    for (const extensions of [[noAuthority(), mayIssue], [maySign], []]) {
      const mallory = await issueMember('Mallory', root, { extensions })
      const ghost = await issueMember('Ghost', mallory)
      await expect(validate(trustIn([root]), credentialOf(ghost, mallory), ghost)).rejects.toEqual(
        refusal('credential-not-authority'),
      )
    }
  })

  it('with more authorities than one allows below it', async () => {
    const root = await issueAuthority('Root', { extensions: [authority(1), mayIssue] })
    const middle = await issueAuthority('Middle', { issuer: root })
    const lower = await issueAuthority('Lower', { issuer: middle })
    const [ann, bob] = [await issueMember('Ann', middle), await issueMember('Bob', lower)]
    const trust = trustIn([root])
    await validate(trust, credentialOf(ann, middle), ann)
    await expect(validate(trust, credentialOf(bob, lower, middle), bob)).rejects.toEqual(
      refusal('credential-path-too-long'),
    )
  })

  it('whose keys are meant for something else', async () => {
    const root = await issueAuthority('Root')
    const middle = await issueAuthority('Middle', {
      issuer: root,
      extensions: [authority(), maySign],
    })
    const ann = await issueMember('Ann', middle)
    const bob = await issueMember('Bob', root, { extensions: [mayEncrypt] })
    for (const [member, chain] of [
      [ann, [ann, middle]],
      [bob, [bob]],
    ] as const) {
      await expect(validate(trustIn([root]), credentialOf(...chain), member)).rejects.toEqual(
        refusal('credential-key-usage-wrong'),
      )
    }
  })

  it('with a critical extension that nobody knows, in any of its certificates', async () => {
    const strange = extension('1.2.3.4', true)
    const root = await issueAuthority('Root')
    const middle = await issueAuthority('Middle', {
      issuer: root,
      extensions: [authority(), mayIssue, strange],
    })
    const ann = await issueMember('Ann', root, { extensions: [maySign, strange] })
    const bob = await issueMember('Bob', middle)
    for (const [member, chain] of [
      [ann, [ann]],
      [bob, [bob, middle]],
    ] as const) {
      await expect(validate(trustIn([root]), credentialOf(...chain), member)).rejects.toEqual(
        refusal('credential-extension-unsupported'),
      )
    }
    const carol = await issueMember('Carol', root, { extensions: [extension('1.2.3.4', false)] })
    await validate(trustIn([root]), credentialOf(carol), carol)
  })

  it('with name constraints, even where they are not critical', async () => {
    const root = await issueAuthority('Root')
    const middle = await issueAuthority('Middle', {
      issuer: root,
      extensions: [authority(), mayIssue, extension('2.5.29.30', false)],
    })
    const ann = await issueMember('Ann', middle)
    await expect(validate(trustIn([root]), credentialOf(ann, middle), ann)).rejects.toEqual(
      refusal('credential-extension-unsupported'),
    )
  })

  it('signed with short RSA keys, SHA-1 or a hash that is not the curve’s', async () => {
    const short = await issueAuthority('Short', { kind: 'RSA-1024' })
    const ann = await issueMember('Ann', short)
    await expect(validate(trustIn([short]), credentialOf(ann), ann)).rejects.toEqual(
      refusal('credential-algorithm-unsupported'),
    )
    const root = await issueAuthority('Root', { kind: 'P-256' })
    const bob = await issueMember('Bob', root, { hash: 'SHA-1' })
    await expect(validate(trustIn([root]), credentialOf(bob), bob)).rejects.toEqual(
      refusal('credential-algorithm-unsupported'),
    )
    const carol = await issueMember('Carol', root, { hash: 'SHA-384' })
    await expect(validate(trustIn([root]), credentialOf(carol), carol)).rejects.toEqual(
      refusal('credential-signature-invalid'),
    )
  })

  it('with more certificates or bytes than anyone takes in', async () => {
    const { root, middle, ann } = await family()
    const many = credentialOf(ann, ...Array.from({ length: 8 }, () => middle))
    const padding = alternativeNames({ type: 'dns', value: 'a'.repeat(17_000) })
    const huge = await issueMember('Huge', root, { extensions: [maySign, padding] })
    await expect(validate(trustIn([root]), many, ann)).rejects.toEqual(
      refusal('credential-too-large'),
    )
    await expect(validate(trustIn([root]), credentialOf(huge), huge)).rejects.toEqual(
      refusal('credential-too-large'),
    )
  })

  it('that is empty or no certificate at all', async () => {
    const { root, ann } = await family()
    for (const chain of [[], [utf8('garbage')], [ann.der.slice(0, -1)], [new Uint8Array(0)]]) {
      await expect(validate(trustIn([root]), credentialOf(...chain), ann)).rejects.toEqual(
        refusal('credential-malformed'),
      )
    }
    expect(() => x509Validator({ ...trustIn([]), roots: [utf8('?')] })).toThrow(
      refusal('credential-malformed'),
    )
  })

  it('with a part that contradicts another', async () => {
    const root = await issueAuthority('Root')
    const twice = await issueMember('Ann', root, { extensions: [maySign, maySign] })
    const ann = await issueMember('Ann', root)
    const changed = (from: string, to: string) => {
      const hex = toHex(ann.der)
      const at = hex.lastIndexOf(from)
      expect(at).toBeGreaterThan(0)
      return fromHex(hex.slice(0, at) + to + hex.slice(at + from.length))
    }
    const ed25519 = '300506032b6570'
    const version = 'a003020102'
    for (const der of [
      twice.der,
      changed(ed25519, '300506032b6571'),
      changed(version, 'a003020101'),
    ]) {
      const member = der === twice.der ? twice : ann
      await expect(validate(trustIn([root]), credentialOf(der), member)).rejects.toEqual(
        refusal('credential-malformed'),
      )
    }
  })

  it('with a name that ends early for some readers', async () => {
    const root = await issueAuthority('Root')
    const ann = await issueMember('Ann\0.example.org', root)
    await expect(validate(trustIn([root]), credentialOf(ann), ann)).rejects.toEqual(
      refusal('credential-malformed'),
    )
  })
})

describe('a signature key in a certificate', () => {
  it('is not taken in another encoding of the same key', async () => {
    const root = await issueAuthority('Root')
    const keys = await generateKeys('P-256')
    const ann = await issue('Ann', { issuer: root, kind: 'P-256', publicKey: keys.publicKey })
    const uncompressed = new Uint8Array(await crypto.subtle.exportKey('raw', keys.publicKey))
    const compressed = uncompressed.slice(0, 33)
    compressed[0] = 2 + ((uncompressed[64] ?? 0) & 1)
    const validator = x509Validator(trustIn([root]))
    const suite = suiteOfKind('P-256')
    await validator.validate(credentialOf(ann), suite, uncompressed, 'receiver')
    await expect(
      validator.validate(credentialOf(ann), suite, compressed, 'receiver'),
    ).rejects.toEqual(refusal('credential-key-mismatch'))
  })
})

describe('a certificate', () => {
  it('is read as Node reads it, for every authority that Node trusts', () => {
    expect(rootCertificates.length).toBeGreaterThan(100)
    for (const pem of rootCertificates) {
      const node = new X509Certificate(pem)
      const read = readCertificate(new Uint8Array(node.raw))
      expect(BigInt(`0x${read.serialNumber}`)).toBe(BigInt(`0x${node.serialNumber}`))
      expect(read.notBefore).toBe(Date.parse(node.validFrom))
      expect(read.notAfter).toBe(Date.parse(node.validTo))
      expect([...read.publicKey]).toEqual([
        ...node.publicKey.export({ type: 'spki', format: 'der' }),
      ])
      expect(read.authority !== undefined).toBe(node.ca)
      expect(subjectOf(read).certificate.length).toBe(node.raw.length)
    }
  })
})
