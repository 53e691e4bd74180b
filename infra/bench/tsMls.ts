import {
  acceptAll,
  type CiphersuiteImpl,
  type ClientState,
  type CreateCommitResult,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPub,
  decodeMlsMessage,
  defaultCryptoProvider,
  emptyPskIndex,
  encodeGroupState,
  encodeMlsMessage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  joinGroupExternal,
  type KeyPackage,
  type MLSMessage,
  mlsExporter,
  type PrivateKeyPackage,
  type Proposal,
  processMessage,
} from 'ts-mls'
import { defaultClientConfig } from 'ts-mls/clientConfig.js'
import { decodeKeyPackage } from 'ts-mls/keyPackage.js'
import { decodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { type Bytes, equalBytes, toHex, utf8 } from '../../core/src/codec/bytes.ts'
import { encode } from '../../core/src/codec/tls.ts'
import { KeyPackage as CoreKeyPackage } from '../../core/src/wire/index.ts'
import { expectDone } from './benchError.ts'
import type { Contestant, Entrant, Trial } from './operations.ts'
import type { Person } from './people.ts'
import type { World } from './world.ts'

const protections = 20
const derivations = 20
const content = new Uint8Array(100).fill(7)

/** As core: messages are as long as they are. */
const unpadded = {
  ...defaultClientConfig,
  paddingConfig: { kind: 'padUntilLength', padUntilLength: 0 },
} as const

/** ts-mls with its default provider, WebCrypto, the fastest that it has for suite 1. */
export const tsMls: Contestant = {
  name: 'ts-mls',
  enter: async (world) => {
    const suite = getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519')
    return (
      await Players.of(world, await getCiphersuiteImpl(suite, defaultCryptoProvider))
    ).entrant()
  },
}

/** Its states are values, so one of each person's serves for every round. */
class Players {
  readonly #world: World
  readonly #suite: CiphersuiteImpl
  readonly #joined: ClientState
  readonly #alice: ClientState
  readonly #bob: ClientState

  private constructor(
    world: World,
    suite: CiphersuiteImpl,
    states: { joined: ClientState; alice: ClientState; bob: ClientState },
  ) {
    this.#world = world
    this.#suite = suite
    this.#joined = states.joined
    this.#alice = states.alice
    this.#bob = states.bob
  }

  static async of(world: World, suite: CiphersuiteImpl): Promise<Players> {
    const alice = await join(world, suite, world.alice)
    const joined = await join(world, suite, world.bob)
    if (world.kind === 'cold') return new Players(world, suite, { joined, alice, bob: joined })
    // As in core: Bob has committed, too, and knows the keys of all nodes above him.
    const { newState: bob, commit } = await createCommit(
      { state: joined, cipherSuite: suite },
      { wireAsPublicMessage: true },
    )
    return new Players(world, suite, {
      joined,
      alice: await processed(suite, alice, encodeMlsMessage(commit)),
      bob,
    })
  }

  async entrant(): Promise<Entrant> {
    const world = this.#world
    const carol = encode(CoreKeyPackage, world.carol.bundle.keyPackage)
    const adding = () => [addOf(carol)]
    const removing = (): Proposal[] => [
      { proposalType: 'remove', remove: { removed: world.removed } },
    ]
    const update = await this.#commit([])
    const add = await this.#commit(adding())
    const remove = await this.#commit(removing())
    const { privateMessage, newState: afterProtecting } = await this.#protect(this.#alice)
    return {
      trials: {
        join: {
          prepare: async () => () => join(world, this.#suite, world.bob),
          check: expectState,
        },
        'external.join': await this.#joiningExternally(),
        'update.create': this.#creating(() => []),
        'update.process': this.#processing(update),
        'add.create': this.#creating(adding),
        'add.process': this.#processing(add),
        'remove.create': this.#creating(removing),
        'remove.process': this.#processing(remove),
        'bulk-add.create': await this.#bulkAdd(),
        exporter: {
          repetitions: derivations,
          prepare: async () => async () => {
            let exported: Uint8Array = new Uint8Array()
            for (let i = 0; i < derivations; i++) exported = await this.#exportedBy(this.#alice)
            return exported
          },
          check: (exported) =>
            expectDone(exported instanceof Uint8Array && exported.length === 32, 'no export'),
        },
        protect: {
          repetitions: protections,
          prepare: async () => async () => {
            let state = afterProtecting
            for (let i = 0; i < protections; i++) state = (await this.#protect(state)).newState
            return state
          },
          check: expectState,
        },
        unprotect: await this.#unprotecting(),
      },
      sizes: {
        'update: commit': encodeMlsMessage(update.commit).length,
        'add: commit': encodeMlsMessage(add.commit).length,
        'add: Welcome': add.welcome === undefined ? 0 : encodeWelcome(add.welcome).length,
        'remove: commit': encodeMlsMessage(remove.commit).length,
        'message of 100 bytes': encodeMlsMessage({
          version: 'mls10',
          wireformat: 'mls_private_message',
          privateMessage,
        }).length,
        'serialised state': encodeGroupState(this.#joined).length,
      },
      exported: toHex(await this.#exportedBy(this.#joined)),
      newState: () => join(world, this.#suite, world.bob),
      agree: () => this.#agree(),
    }
  }

  #commit(extraProposals: Proposal[], state = this.#alice): Promise<CreateCommitResult> {
    return createCommit(
      { state, cipherSuite: this.#suite },
      { wireAsPublicMessage: true, extraProposals },
    )
  }

  #creating(proposals: () => Proposal[]): Trial {
    return {
      prepare: async () => async () => {
        const { commit, welcome } = await this.#commit(proposals())
        if (welcome !== undefined) encodeWelcome(welcome)
        return encodeMlsMessage(commit)
      },
      check: (message) =>
        expectDone(message instanceof Uint8Array && message.length > 0, 'no commit was made'),
    }
  }

  #processing({ commit }: CreateCommitResult): Trial {
    const message = encodeMlsMessage(commit)
    return {
      prepare: async () => () => processed(this.#suite, this.#bob, message),
      check: (state) => {
        const { epoch } = (state as ClientState).groupContext
        const expected = this.#alice.groupContext.epoch + 1n
        expectDone(epoch === expected, `the commit led to epoch ${epoch}`)
      },
    }
  }

  async #joiningExternally(): Promise<Trial> {
    // It writes external_pub without a length and so cannot read core's.
    const groupInfo = encodeMlsMessage({
      version: 'mls10',
      wireformat: 'mls_group_info',
      groupInfo: await createGroupInfoWithExternalPub(this.#joined, [], this.#suite),
    })
    const { carol, ratchetTree } = this.#world
    return {
      prepare: async () => async () => {
        const message = decoded(groupInfo)
        if (message.wireformat !== 'mls_group_info') throw new TypeError('not a GroupInfo')
        const { publicMessage, newState } = await joinGroupExternal(
          message.groupInfo,
          ...keysOf(carol),
          false,
          this.#suite,
          treeOf(ratchetTree),
        )
        encodeMlsMessage({ version: 'mls10', wireformat: 'mls_public_message', publicMessage })
        return newState
      },
      check: expectState,
    }
  }

  async #bulkAdd(): Promise<Trial> {
    const crowd = this.#world.crowd.map((keyPackage) => encode(CoreKeyPackage, keyPackage))
    const founded = await createGroup(
      new Uint8Array(16),
      ...keysOf(this.#world.founder),
      [],
      this.#suite,
    )
    return {
      prepare: async () => async () => {
        const { welcome, commit } = await this.#commit(crowd.map(addOf), founded)
        encodeMlsMessage(commit)
        if (welcome !== undefined) encodeWelcome(welcome)
        return welcome?.secrets.length
      },
      check: (added) => expectDone(added === crowd.length, `${added} of the crowd were added`),
    }
  }

  #protect(state: ClientState) {
    return createApplicationMessage(state, content, this.#suite)
  }

  async #unprotecting(): Promise<Trial> {
    const messages: Bytes[] = []
    let sender = this.#alice
    for (let i = 0; i < protections; i++) {
      const { newState, privateMessage } = await this.#protect(sender)
      const message = {
        version: 'mls10',
        wireformat: 'mls_private_message',
        privateMessage,
      } as const
      messages.push(new Uint8Array(encodeMlsMessage(message)))
      sender = newState
    }
    return {
      repetitions: protections,
      prepare: async () => async () => {
        let state = this.#bob
        let opened: Uint8Array = new Uint8Array()
        for (const message of messages) {
          const result = await received(this.#suite, state, message)
          if (result.kind === 'applicationMessage') opened = result.message
          state = result.newState
        }
        return opened
      },
      check: (opened) =>
        expectDone(
          opened instanceof Uint8Array && equalBytes(opened, content),
          'no message was opened',
        ),
    }
  }

  async #agree(): Promise<boolean> {
    const { commit, newState } = await this.#commit([])
    const after = await processed(this.#suite, this.#bob, encodeMlsMessage(commit))
    const [bobs, alices] = [await this.#exportedBy(after), await this.#exportedBy(newState)]
    return equalBytes(bobs, alices)
  }

  #exportedBy({ keySchedule: { exporterSecret } }: ClientState): Promise<Uint8Array> {
    return mlsExporter(exporterSecret, 'bench', utf8('context'), 32, this.#suite)
  }
}

function join(
  { welcome, ratchetTree }: World,
  suite: CiphersuiteImpl,
  person: Person,
): Promise<ClientState> {
  const message = decoded(welcome)
  if (message.wireformat !== 'mls_welcome') throw new TypeError('the world has no Welcome')
  const { welcome: opened } = message
  const keys = keysOf(person)
  const tree = treeOf(ratchetTree)
  return joinGroup(opened, ...keys, emptyPskIndex, suite, tree, undefined, unpadded)
}

async function processed(
  suite: CiphersuiteImpl,
  state: ClientState,
  message: Uint8Array,
): Promise<ClientState> {
  const result = await received(suite, state, message)
  expectDone(result.kind === 'newState', 'no commit was processed')
  return result.newState
}

function received(suite: CiphersuiteImpl, state: ClientState, encoded: Uint8Array) {
  const message = decoded(encoded)
  if (message.wireformat !== 'mls_public_message' && message.wireformat !== 'mls_private_message') {
    throw new TypeError('neither a PublicMessage nor a PrivateMessage')
  }
  return processMessage(message, state, emptyPskIndex, acceptAll, suite)
}

function decoded(encoded: Uint8Array): MLSMessage {
  const message = decodeMlsMessage(encoded, 0)
  if (message === undefined) throw new TypeError('ts-mls cannot decode a message')
  return message[0]
}

function treeOf(encoded: Uint8Array) {
  const tree = decodeRatchetTree(encoded, 0)
  if (tree === undefined) throw new TypeError('ts-mls cannot decode the tree')
  return tree[0]
}

function keyPackageOf(encoded: Uint8Array): KeyPackage {
  const keyPackage = decodeKeyPackage(encoded, 0)
  if (keyPackage === undefined) throw new TypeError('ts-mls cannot decode a KeyPackage')
  return keyPackage[0]
}

function addOf(keyPackage: Uint8Array): Proposal {
  return { proposalType: 'add', add: { keyPackage: keyPackageOf(keyPackage) } }
}

function keysOf({
  bundle: { keyPackage, initKey, leafKey },
  signatureKey,
}: Person): [KeyPackage, PrivateKeyPackage] {
  return [
    keyPackageOf(encode(CoreKeyPackage, keyPackage)),
    {
      initPrivateKey: initKey.privateKey.expose(),
      hpkePrivateKey: leafKey.privateKey.expose(),
      signaturePrivateKey: signatureKey,
    },
  ]
}

function encodeWelcome(welcome: NonNullable<CreateCommitResult['welcome']>): Uint8Array {
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome })
}

function expectState(state: unknown): void {
  expectDone(typeof state === 'object' && state !== null && 'ratchetTree' in state, 'no state')
}
