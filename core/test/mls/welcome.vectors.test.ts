import { expect, it } from 'vitest'
import { fromHex } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { makeKeyPackageRef, verifyWithLabel } from '../../src/crypto/public/index.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { openWelcome } from '../../src/mls/bootstrap/welcome.ts'
import { confirmationTag, deriveEpochSecrets } from '../../src/mls/treekem/keySchedule.ts'
import { GroupInfoTbs, MlsMessage } from '../../src/wire/index.ts'
import { WireFormat } from '../../src/wire/registry.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface WelcomeVector {
  cipher_suite: number
  init_priv: string
  signer_pub: string
  key_package: string
  welcome: string
}

describeVector<WelcomeVector[]>('mls/welcome.json', (vectors) => {
  it.each(implemented(vectors))('the Welcome of suite $cipher_suite opens', async (vector) => {
    const crypto = suite(vector.cipher_suite)
    const welcome = decode(MlsMessage, fromHex(vector.welcome))
    const packaged = decode(MlsMessage, fromHex(vector.key_package))
    if (welcome.wireFormat !== WireFormat.welcome) throw new Error('not a Welcome')
    if (packaged.wireFormat !== WireFormat.keyPackage) throw new Error('not a KeyPackage')
    const { keyPackage } = packaged
    const key = { publicKey: keyPackage.initKey, privateKey: new Secret(fromHex(vector.init_priv)) }
    const { groupInfo, memberSecret } = await openWelcome(
      crypto,
      welcome.welcome,
      {
        keyPackage,
        ref: makeKeyPackageRef(crypto, keyPackage),
        initKey: key,
        leafKey: key,
        signer: await crypto.generateSigner(),
        lastResort: false,
      },
      () => undefined,
    )
    const signed = encode(GroupInfoTbs, groupInfo)
    const signer = fromHex(vector.signer_pub)
    expect(await verifyWithLabel(crypto, signer, 'GroupInfoTBS', signed, groupInfo.signature)).toBe(
      true,
    )
    const { groupContext } = groupInfo
    const secrets = deriveEpochSecrets(crypto, memberSecret, groupContext)
    expect(confirmationTag(crypto, secrets, groupContext.confirmedTranscriptHash)).toEqual(
      groupInfo.confirmationTag,
    )
  })
})
