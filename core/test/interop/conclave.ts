import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { curveSizes } from '../../src/crypto/public/cipherSuite.ts'
import { makeKeyPackageRef } from '../../src/crypto/public/index.ts'
import { Secret, type SecretSuite } from '../../src/crypto/secret/index.ts'
import { nodeCrypto } from '../../src/crypto/secret/node/index.ts'
import {
  createKeyPackage,
  greaseLeaf,
  type KeyPackageBundle,
  lifetimeFrom,
  type OwnLeaf,
} from '../../src/mls/bootstrap/index.ts'
import { Group, type GroupEnvironment, padme } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import type { RandomBytes } from '../../src/runtime.ts'
import { KeyPackage, type LeafIndex, RatchetTree } from '../../src/wire/index.ts'
import { CredentialType, PskType } from '../../src/wire/registry.ts'
import { groupInfoIn, welcomeIn } from '../mls/party.ts'
import {
  type CommitPlan,
  type ExternalJoin,
  exporterLabel,
  type Framing,
  type Library,
  type MadeCommit,
  type Member,
  type OwnKeyPackage,
  type Person,
  type Received,
  type SharedKeys,
  type View,
} from './member.ts'

/** Leaves carry an extension of this type too, which its owner lists. */
const privateExtension = 0xf0aa

/** This library, with GREASE in every leaf and padding of every PrivateMessage. */
export class Conclave implements Library<ConclaveMember> {
  readonly name = 'conclave'
  readonly suite: SecretSuite
  readonly environment: GroupEnvironment
  readonly #random: RandomBytes

  constructor(suiteId: number, random: RandomBytes, shared: SharedKeys) {
    this.#random = random
    this.environment = {
      crypto: nodeCrypto({ random }),
      policy: permissivePolicy,
      // ts-mls asks the system's.
      clock: { now: () => Date.now() },
      padding: padme,
      preSharedKey: (id) => {
        const key = id.pskType === PskType.external ? shared.get(toHex(id.pskId)) : undefined
        return key && new Secret(key.slice())
      },
    }
    const suite = this.environment.crypto.secretSuite(suiteId)
    if (suite === undefined) throw new Error(`no cipher suite ${suiteId}`)
    this.suite = suite
  }

  async person(name: string): Promise<Person> {
    const signatureKey = this.suite.random(curveSizes[this.suite.suite.signature].privateKey)
    // Any bytes are an EdDSA key; a scalar of a NIST curve has to be below the curve's order.
    signatureKey[0] = 0
    const { publicKey } = await this.suite.importSigner(new Secret(signatureKey.slice()))
    return { name, signatureKey, signaturePublicKey: publicKey }
  }

  async keyPackage(person: Person): Promise<OwnKeyPackage> {
    const own = await this.leafOf(person)
    const { keyPackage, initKey, leafKey } = await createKeyPackage(
      this.suite,
      own,
      lifetimeFrom(this.environment.clock, 3600),
    )
    return {
      person,
      keyPackage: encode(KeyPackage, keyPackage),
      initKey: initKey.privateKey.expose().slice(),
      leafKey: leafKey.privateKey.expose().slice(),
    }
  }

  async found(person: Person, groupId: Bytes): Promise<ConclaveMember> {
    const own = await this.leafOf(person)
    const group = await Group.found(this.environment, {
      cipherSuite: this.suite.suite.id,
      groupId,
      own,
      lifetime: lifetimeFrom(this.environment.clock, 3600),
      extensions: [],
    })
    return new ConclaveMember(this, own, group)
  }

  async join(
    welcome: Bytes,
    own: OwnKeyPackage,
    ratchetTree: Bytes | undefined,
  ): Promise<ConclaveMember> {
    const bundle = await this.bundleOf(own)
    const group = await Group.join(this.environment, {
      welcome: welcomeIn(welcome),
      bundle,
      ...(ratchetTree === undefined
        ? {}
        : { ratchetTree: async () => decode(RatchetTree, ratchetTree) }),
    })
    return new ConclaveMember(this, await this.leafOf(own.person), group)
  }

  async joinExternally(person: Person, { groupInfo, ratchetTree, replaces }: ExternalJoin) {
    const own = await this.leafOf(person)
    const pending = await Group.joinExternally(this.environment, {
      groupInfo: groupInfoIn(groupInfo),
      own,
      ...(ratchetTree === undefined ? {} : { ratchetTree: decode(RatchetTree, ratchetTree) }),
      ...(replaces === undefined ? {} : { replaces: replaces as LeafIndex }),
    })
    const { message } = pending
    return { message, member: new ConclaveMember(this, own, Group.enter(pending)) }
  }

  async leafOf({ name, signatureKey }: Person): Promise<OwnLeaf> {
    return greaseLeaf(this.#random, {
      signer: await this.suite.importSigner(new Secret(signatureKey.slice())),
      credential: { credentialType: CredentialType.basic, identity: utf8(name) },
      capabilities: {
        versions: [1],
        cipherSuites: [1, 2, 3, 4, 5, 6, 7],
        extensions: [privateExtension],
        proposals: [],
        credentials: [CredentialType.basic],
      },
      extensions: [{ extensionType: privateExtension, extensionData: utf8(name) }],
    })
  }

  async bundleOf({
    person,
    keyPackage,
    initKey,
    leafKey,
  }: OwnKeyPackage): Promise<KeyPackageBundle> {
    const decoded = decode(KeyPackage, keyPackage)
    return {
      keyPackage: decoded,
      ref: makeKeyPackageRef(this.suite, decoded),
      initKey: { privateKey: new Secret(initKey.slice()), publicKey: decoded.initKey },
      leafKey: {
        privateKey: new Secret(leafKey.slice()),
        publicKey: decoded.leafNode.encryptionKey,
      },
      signer: (await this.leafOf(person)).signer,
      lastResort: false,
    }
  }
}

export class ConclaveMember implements Member {
  readonly library = 'conclave'
  readonly #client: Conclave
  readonly #own: OwnLeaf
  group: Group

  constructor(client: Conclave, own: OwnLeaf, group: Group) {
    this.#client = client
    this.#own = own
    this.group = group
  }

  get leafIndex(): number {
    return this.group.leafIndex
  }

  async view(): Promise<View> {
    const { group } = this
    const { epoch, treeHash, confirmedTranscriptHash } = group.groupContext
    return {
      epoch,
      treeHash: toHex(treeHash),
      confirmedTranscriptHash: toHex(confirmedTranscriptHash),
      epochAuthenticator: toHex(group.epochAuthenticator),
      exported: toHex(group.exportSecret(exporterLabel, utf8('context'), 32).expose()),
      resumptionPsk: toHex(group.resumptionPsk.expose()),
      members: group.members.map(
        ({ leafIndex, leafNode }) => `${leafIndex} ${toHex(leafNode.signatureKey)}`,
      ),
    }
  }

  ratchetTree(): Bytes {
    return encode(RatchetTree, this.group.ratchetTree)
  }

  groupInfo({ ratchetTree }: { readonly ratchetTree: boolean }): Promise<Bytes> {
    return this.group.groupInfo({ externalPub: true, ratchetTree })
  }

  async propose(
    proposal: Parameters<Member['propose']>[0],
    { encrypted, authenticatedData }: Framing,
  ): Promise<Bytes> {
    const message = await this.group.propose(proposal, { encrypted, authenticatedData })
    return this.#counted(message, encrypted)
  }

  async proposeUpdate({ encrypted, authenticatedData }: Framing): Promise<Bytes> {
    const message = await this.group.proposeUpdate({ encrypted, authenticatedData })
    return this.#counted(message, encrypted)
  }

  async commit({ ratchetTree, path, ...plan }: CommitPlan): Promise<MadeCommit> {
    const pending = await this.group.commit({
      ...plan,
      path: path ? 'always' : 'if-required',
      groupInfo: { ratchetTree },
    })
    return {
      message: pending.message,
      welcome: pending.welcome,
      confirm: () => {
        this.group = this.group.confirm(pending)
      },
      discard: () => pending.discard(),
    }
  }

  async receive(message: Bytes): Promise<Received> {
    const received = await this.group.receive(message)
    if ('error' in received) throw received.error
    if (received.kind === 'application') return { kind: 'application', data: received.data }
    if (received.kind === 'commit') this.group = received.group
    return { kind: received.kind }
  }

  protect(data: Bytes, authenticatedData: Bytes): Promise<Bytes> {
    return this.group.protect(data, authenticatedData)
  }

  async restart(): Promise<void> {
    const state = this.group.encodeState()
    this.group.close()
    this.group = Group.restore(this.#client.environment, state.expose(), this.#own.signer)
  }

  /** One that everyone can read counts once it comes back from the log. */
  async #counted(message: Bytes, encrypted: boolean): Promise<Bytes> {
    if (!encrypted) await this.receive(message)
    return message
  }
}
