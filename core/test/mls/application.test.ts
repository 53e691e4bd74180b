import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, emptyBytes, fromHex, toHex, utf8 } from '../../src/codec/bytes.ts'
import { Secret, signWithLabel } from '../../src/crypto/secret/index.ts'
import {
  appDataExtension,
  componentsList,
  decodeSafeAad,
  encodeSafeAad,
  frameApplicationData,
  mediaType,
  mediaTypesComponent,
  readAppData,
  readComponentsList,
  readMediaTypes,
  safeDecryptWithLabel,
  safeEncryptWithLabel,
  safeSignWithLabel,
  safeVerifyWithLabel,
  sameMediaType,
  unframeApplicationData,
  unsupportedRequirements,
  usesSafeAad,
} from '../../src/mls/application/index.ts'
import type { Extension, LeafIndex, LeafNode } from '../../src/wire/index.ts'
import { ComponentType, ExtensionType } from '../../src/wire/registry.ts'
import { refusal } from './refusals.ts'
import { suite } from './testCrypto.ts'

const chat = { componentId: 0x8001, label: 'chat' }
const others = [
  { componentId: 0x8002, label: 'chat' },
  { componentId: 0x8001, label: 'other' },
  { componentId: 0x8001, label: '' },
]
const content = utf8('content')

function appData(hex: string): Extension {
  return { extensionType: ExtensionType.appDataDictionary, extensionData: fromHex(hex) }
}

describe('a component’s keys', () => {
  it('sign under a label that has the bytes of the draft', async () => {
    const signed: Bytes[] = []
    const signer = {
      publicKey: emptyBytes,
      sign: async (message: Bytes) => {
        signed.push(message)
        return message
      },
    }
    await safeSignWithLabel(signer, chat, content)
    const label = concatBytes(
      utf8('MLS 1.0 '),
      Uint8Array.of(13),
      utf8('MLS Component'),
      Uint8Array.of(0x80, 0x01, 4),
      utf8('chat'),
    )
    const expected = concatBytes(Uint8Array.of(label.length), label, Uint8Array.of(7), content)
    expect(signed.map(toHex)).toEqual([toHex(expected)])
  })

  it('verify what the same component signed under the same label, and nothing else', async () => {
    const crypto = suite()
    const signer = await crypto.generateSigner()
    const verify = (operation: typeof chat, signature: Bytes) =>
      safeVerifyWithLabel(crypto, signer.publicKey, operation, content, signature)
    const signature = await safeSignWithLabel(signer, chat, content)
    expect(await verify(chat, signature)).toBe(true)
    for (const other of others) expect(await verify(other, signature)).toBe(false)
    expect(await verify(chat, await signWithLabel(signer, 'chat', content))).toBe(false)
  })

  it('decrypt what was encrypted to the same component, label and context, and nothing else', async () => {
    const crypto = suite()
    const key = await crypto.deriveKeyPair(new Secret(crypto.random(32)))
    const context = utf8('context')
    const sealed = await safeEncryptWithLabel(crypto, key.publicKey, chat, context, content)
    expect(await safeDecryptWithLabel(crypto, key, chat, context, sealed)).toEqual(content)
    for (const [operation, within] of [
      ...others.map((other) => [other, context] as const),
      [chat, emptyBytes] as const,
    ]) {
      await expect(safeDecryptWithLabel(crypto, key, operation, within, sealed)).rejects.toEqual(
        refusal('crypto-open-failed'),
      )
    }
  })
})

describe('an app_data_dictionary', () => {
  it('lists its components in order, however they were given', () => {
    const extension = appDataExtension([
      { componentId: 0x8001, data: utf8('b') },
      { componentId: 1, data: emptyBytes },
    ])
    expect(extension).toEqual(appData('07 0001 00 8001 01 62'.replaceAll(' ', '')))
    expect(readAppData([extension])).toEqual([
      { componentId: 1, data: emptyBytes },
      { componentId: 0x8001, data: utf8('b') },
    ])
    expect(readAppData([])).toEqual([])
  })

  it.each([
    ['out of order', '06000200000100'],
    ['twice', '06000100000100'],
    ['cut short', '060001000002'],
    ['with more after them', '0600010000020000'],
  ])('with components %s is refused', (_, hex) => {
    expect(() => readAppData([appData(hex)])).toThrow(refusal('extension-malformed'))
  })

  it('takes no component twice', () => {
    const twice = [1, 1].map((componentId) => ({ componentId, data: emptyBytes }))
    expect(() => appDataExtension(twice)).toThrow(refusal('app-data-malformed'))
  })

  it('holds lists of components, and those that cannot be read are refused', () => {
    const { safeAad, appComponents } = ComponentType
    const extensions = [appDataExtension([componentsList(safeAad, [5, 3])])]
    expect(readComponentsList(extensions, safeAad)).toEqual([5, 3])
    expect(readComponentsList(extensions, appComponents)).toBeUndefined()
    const odd = [appDataExtension([{ componentId: safeAad, data: Uint8Array.of(1, 7) }])]
    expect(() => readComponentsList(odd, safeAad)).toThrow(refusal('app-data-malformed'))
  })
})

describe('safe authenticated data', () => {
  it('are for the groups whose context has the component, be its list empty', () => {
    const { safeAad, appComponents } = ComponentType
    expect(usesSafeAad([])).toBe(false)
    expect(usesSafeAad([appDataExtension([componentsList(appComponents, [safeAad])])])).toBe(false)
    expect(usesSafeAad([appDataExtension([componentsList(safeAad, [])])])).toBe(true)
  })

  it('come out in order, whatever their order was', () => {
    const item = fc.record({
      componentId: fc.nat(0xffff),
      aadItemData: fc.uint8Array({ maxLength: 100 }).map((bytes) => bytes.slice()),
    })
    fc.assert(
      fc.property(fc.uniqueArray(item, { selector: ({ componentId }) => componentId }), (items) => {
        const ordered = items.toSorted((a, b) => a.componentId - b.componentId)
        const encoded = encodeSafeAad(items)
        expect(decodeSafeAad(encoded)).toEqual(ordered)
        expect(encodeSafeAad(ordered)).toEqual(encoded)
      }),
    )
    expect(encodeSafeAad([])).toEqual(Uint8Array.of(0))
  })

  it.each([
    ['nothing', ''],
    ['items out of order', '06000200000100'],
    ['an item twice', '06000100000100'],
    ['unsafe data after them', '0600010000020000'],
    ['an item cut short', '0300010500'],
  ])('are not %s', (_, hex) => {
    expect(() => decodeSafeAad(fromHex(hex))).toThrow(refusal('safe-aad-malformed'))
  })

  it('take no component twice', () => {
    const item = { componentId: 7, aadItemData: emptyBytes }
    expect(() => encodeSafeAad([item, item])).toThrow(refusal('safe-aad-malformed'))
  })
})

describe('a media type', () => {
  const markdown = mediaType('text/markdown', { variant: 'GFM', charset: 'UTF-8' })

  it('is the same in any case and order of parameters, not with other values', () => {
    expect(
      sameMediaType(markdown, mediaType('Text/Markdown', { Charset: 'UTF-8', VARIANT: 'GFM' })),
    ).toBe(true)
    for (const other of [
      mediaType('text/markdown'),
      mediaType('text/markdown', { variant: 'gfm', charset: 'UTF-8' }),
      mediaType('text/markdow', { variant: 'GFM', charset: 'UTF-8' }),
      mediaType('text/markdown', { variant: 'GFM', charset: 'UTF-8', extra: '' }),
    ]) {
      expect(sameMediaType(markdown, other)).toBe(false)
    }
  })

  it('frames application data and comes back with them', () => {
    const framed = frameApplicationData(content, markdown)
    expect(unframeApplicationData(framed, [mediaType('image/png')])).toEqual({
      mediaType: markdown,
      innerApplicationContent: content,
    })
  })

  it('that is left out is the first of the group’s', () => {
    const framed = frameApplicationData(content)
    expect(toHex(framed)).toBe(`000007${toHex(content)}`)
    expect(unframeApplicationData(framed, [markdown, mediaType('image/png')])).toEqual({
      mediaType: markdown,
      innerApplicationContent: content,
    })
  })

  it.each([
    ['nothing', ''],
    ['no content', '0000'],
    ['more after the content', '00000100ff'],
    ['parameters of no type', '0002000000'],
  ])('and %s is refused', (_, hex) => {
    expect(() => unframeApplicationData(fromHex(hex), [markdown])).toThrow(
      refusal('application-framing-malformed'),
    )
  })

  it('is needed where none was agreed', () => {
    expect(() => unframeApplicationData(frameApplicationData(content), [])).toThrow(
      refusal('application-framing-malformed'),
    )
  })

  it('stands in a list of at least one', () => {
    expect(() => mediaTypesComponent([])).toThrow(refusal('app-data-malformed'))
    const { contentMediaTypes } = ComponentType
    const empty = { componentId: contentMediaTypes, data: Uint8Array.of(0) }
    expect(() => readMediaTypes([appDataExtension([empty])])).toThrow(refusal('app-data-malformed'))
    expect(readMediaTypes([appDataExtension([mediaTypesComponent([markdown])])])).toEqual([
      markdown,
    ])
    expect(readMediaTypes([])).toBeUndefined()
  })
})

describe('what a group requires', () => {
  const { appComponents, safeAad } = ComponentType
  const [png, plain] = [mediaType('image/png'), mediaType('text/plain')]
  const formats = (extensionType: number, hex: string) => ({
    extensionType,
    extensionData: fromHex(hex),
  })
  const group = [
    appDataExtension([
      componentsList(appComponents, [3, 0x8001]),
      componentsList(safeAad, [0x8001]),
      mediaTypesComponent([png]),
    ]),
    formats(ExtensionType.requiredWireFormats, '020006'),
  ]
  const able = [
    appDataExtension([
      componentsList(appComponents, [0x0a0a, 0x8001, 3, 1]),
      componentsList(safeAad, [0x8001, 0x1a1a]),
      mediaTypesComponent([plain, png]),
    ]),
    formats(ExtensionType.supportedWireFormats, '0400060007'),
  ]
  const member = (index: number, extensions: readonly Extension[]) => ({
    leafIndex: index as LeafIndex,
    leafNode: { extensions } as LeafNode,
  })

  it('is met by a member that lists it all, and more', () => {
    expect(unsupportedRequirements(group, [member(0, able)])).toEqual([])
    expect(unsupportedRequirements([], [member(0, []), member(1, able)])).toEqual([])
  })

  it('is not met by one that lacks any of it, or whose lists cannot be read', () => {
    const [dictionary, wireFormats] = able
    const members = [
      member(0, able),
      member(1, []),
      member(2, [dictionary as Extension]),
      member(3, [
        wireFormats as Extension,
        appDataExtension([
          componentsList(appComponents, [3]),
          componentsList(safeAad, []),
          mediaTypesComponent([plain]),
        ]),
      ]),
      member(4, [wireFormats as Extension, appData('06000200000100')]),
    ]
    expect(unsupportedRequirements(group, members)).toEqual([
      { leafIndex: 1, lacks: ['app-components', 'safe-aad', 'media-types', 'wire-formats'] },
      { leafIndex: 2, lacks: ['wire-formats'] },
      { leafIndex: 3, lacks: ['app-components', 'safe-aad', 'media-types'] },
      { leafIndex: 4, lacks: ['app-components', 'safe-aad', 'media-types'] },
    ])
  })

  it('has to be readable itself', () => {
    expect(() => unsupportedRequirements([appData('06000200000100')], [])).toThrow(
      refusal('extension-malformed'),
    )
    const cut = formats(ExtensionType.requiredWireFormats, '03000600')
    expect(() => unsupportedRequirements([cut], [])).toThrow(refusal('extension-malformed'))
  })
})
