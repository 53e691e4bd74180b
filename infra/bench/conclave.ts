import { type Bytes, emptyBytes, equalBytes, toHex, utf8 } from '../../core/src/codec/bytes.ts'
import { decode, encode } from '../../core/src/codec/tls.ts'
import { type HpkeKeyPair, Secret, type SecretCrypto } from '../../core/src/crypto/secret/index.ts'
import type { KeyPackageBundle } from '../../core/src/mls/bootstrap/index.ts'
import {
  type CommitOptions,
  Group,
  type GroupEnvironment,
  type PendingCommit,
  type Received,
} from '../../core/src/mls/group/index.ts'
import { permissivePolicy } from '../../core/src/mls/public/index.ts'
import type { RandomBytes } from '../../core/src/runtime.ts'
import { KeyPackage, MlsMessage, type Proposal, RatchetTree } from '../../core/src/wire/index.ts'
import { ProposalType, WireFormat } from '../../core/src/wire/registry.ts'
import { expectDone } from './benchError.ts'
import { type Contestant, type Entrant, subject, type Trial } from './operations.ts'
import { lifetime, type Person, seededRandom, suite1, suite1Of } from './people.ts'
import type { World } from './world.ts'

const derivations = 100
const protections = 20
const content = new Uint8Array(100).fill(7)

/** One of core's providers, made anew: with the platform's randomness where none is given. */
export type Provider = (random?: RandomBytes) => SecretCrypto

/** This repository's library, through the API that an application has. */
export function conclaveOver(provider: Provider): Contestant {
  return {
    name: subject,
    enter: async (world) => {
      const players = await Players.of(provider, await withSignersOf(provider(), world))
      return players.entrant()
    },
  }
}

type PathRule = NonNullable<CommitOptions['path']>

class Players {
  readonly #provider: Provider
  readonly #world: World
  readonly #environment: GroupEnvironment
  #alice: Group

  private constructor(provider: Provider, world: World, alice: Group) {
    this.#provider = provider
    this.#world = world
    this.#environment = environmentWith(provider())
    this.#alice = alice
  }

  static async of(provider: Provider, world: World): Promise<Players> {
    const alice = await join(environmentWith(provider()), world, world.alice)
    if (world.kind === 'cold') return new Players(provider, world, alice)
    const { commit } = await settledBob(provider, world)
    const received = await alice.receive(commit)
    return new Players(provider, world, groupAfter(received))
  }

  async entrant(): Promise<Entrant> {
    const world = this.#world
    const carol = encode(KeyPackage, world.carol.bundle.keyPackage)
    const adding = () => [addOf(carol)]
    const removing = () => [removeOf(world)]
    const update = await this.#commit([])
    const add = await this.#commit(adding(), 'if-required')
    const addWithPath = await this.#commit(adding())
    const remove = await this.#commit(removing())
    for (const pending of [update, add, addWithPath, remove]) pending.discard()
    const joined = await join(this.#environment, world, world.bob)
    const external = await this.#joinExternally()
    const message = await this.#alice.protect(content)
    return {
      trials: {
        join: {
          prepare: async () => {
            const bundle = bundleOf(world.bob)
            return () => joinWith(this.#environment, world, bundle)
          },
          check: (group) => expectDone(group instanceof Group, 'no group was joined'),
        },
        'external.join': {
          prepare: async () => () => this.#joinExternally(),
          check: (pending) => {
            const { members } = Group.enter(pending as PendingCommit)
            expectDone(members.length === world.members + 1, 'no group was joined')
          },
        },
        'update.create': this.#creating(() => []),
        'update.process': this.#processing(update),
        'add.create': this.#creating(adding, 'if-required'),
        'add.process': this.#processing(add),
        'add.path.create': this.#creating(adding),
        'add.path.process': this.#processing(addWithPath),
        'remove.create': this.#creating(removing),
        'remove.process': this.#processing(remove),
        'bulk-add.create': this.#bulkAdd(),
        exporter: {
          repetitions: derivations,
          prepare: async () => () => {
            let exported: Bytes = emptyBytes
            for (let i = 0; i < derivations; i++) exported = exportedBy(this.#alice)
            return exported
          },
          check: (exported) =>
            expectDone(
              exported instanceof Uint8Array && equalBytes(exported, exportedBy(this.#alice)),
              'no secret was exported',
            ),
        },
        protect: {
          repetitions: protections,
          prepare: async () => async () => {
            let last: Bytes = emptyBytes
            for (let i = 0; i < protections; i++) last = await this.#alice.protect(content)
            return last
          },
          check: (last) => expectDone((last as Bytes).length === message.length, 'no message'),
        },
        unprotect: await this.#unprotecting(),
      },
      sizes: {
        'update: commit': update.message.length,
        'add: commit': add.message.length,
        'add: Welcome': add.welcome?.length ?? 0,
        'add with path: commit': addWithPath.message.length,
        'add with path: Welcome': addWithPath.welcome?.length ?? 0,
        'remove: commit': remove.message.length,
        'external join: commit': external.message.length,
        GroupInfo: update.groupInfo.length,
        'message of 100 bytes': message.length,
        'serialised state': joined.encodeState().length,
      },
      exported: toHex(exportedBy(joined)),
      newState: () => join(this.#environment, world, world.bob),
      agree: () => this.#agree(),
    }
  }

  #commit(proposals: readonly Proposal[], path: PathRule = 'always'): Promise<PendingCommit> {
    return this.#alice.commit({ proposals, path })
  }

  #creating(proposals: () => readonly Proposal[], path?: PathRule): Trial {
    let unsettled: PendingCommit | undefined
    return {
      prepare: async () => async () => {
        unsettled = await this.#commit(proposals(), path)
        return unsettled.message
      },
      check: (message) => {
        expectDone(message instanceof Uint8Array && message.length > 0, 'no commit was made')
        unsettled?.discard()
      },
    }
  }

  #joinExternally(): Promise<PendingCommit> {
    const { groupInfo, ratchetTree, carol } = this.#world
    const message = decode(MlsMessage, groupInfo)
    if (message.wireFormat !== WireFormat.groupInfo) throw new TypeError('not a GroupInfo')
    return Group.joinExternally(this.#environment, {
      groupInfo: message.groupInfo,
      ratchetTree: decode(RatchetTree, ratchetTree),
      own: carol,
    })
  }

  async #unprotecting(): Promise<Trial> {
    const bob = await bobOf(this.#provider, this.#world)
    return {
      repetitions: protections,
      prepare: async () => {
        // Bob has opened what was sent before and is where the sender is.
        const messages: Bytes[] = []
        for (let i = 0; i < protections; i++) messages.push(await this.#alice.protect(content))
        return async () => {
          let last: Received | undefined
          for (const message of messages) last = await bob.receive(message)
          return last
        }
      },
      check: (last) => {
        const received = last as Received
        const opened = received.kind === 'application' && equalBytes(received.data, content)
        expectDone(opened, `no message was opened but ${received.kind}`)
      },
    }
  }

  #processing({ message }: PendingCommit): Trial {
    return {
      prepare: async () => {
        const bob = await bobOf(this.#provider, this.#world)
        return () => bob.receive(message)
      },
      check: (received) => {
        const { epoch } = groupAfter(received as Received)
        expectDone(epoch === this.#alice.epoch + 1n, `the commit led to epoch ${epoch}`)
      },
    }
  }

  #bulkAdd(): Trial {
    const crowd = this.#world.crowd.map((keyPackage) => encode(KeyPackage, keyPackage))
    return {
      prepare: async () => {
        const group = await founded(this.#environment, this.#world.founder)
        return () => group.commit({ proposals: crowd.map(addOf), path: 'if-required' })
      },
      check: (pending) => {
        const { added } = (pending as PendingCommit).effect
        expectDone(added.length === crowd.length, `${added.length} of the crowd were added`)
      },
    }
  }

  async #agree(): Promise<boolean> {
    const bob = await bobOf(this.#provider, this.#world)
    const pending = await this.#commit([])
    const after = groupAfter(await bob.receive(pending.message))
    this.#alice = this.#alice.confirm(pending)
    return equalBytes(exportedBy(after), exportedBy(this.#alice))
  }
}

/** The world with people who sign with a provider, as they do everything else. */
async function withSignersOf(crypto: SecretCrypto, world: World): Promise<World> {
  const suite = suite1Of(crypto)
  const signing = async <P extends Person>(person: P): Promise<P> => {
    const signer = await suite.importSigner(new Secret(person.signatureKey.slice()))
    return { ...person, signer, bundle: { ...person.bundle, signer } }
  }
  return {
    ...world,
    alice: await signing(world.alice),
    bob: await signing(world.bob),
    carol: await signing(world.carol),
    founder: await signing(world.founder),
  }
}

function environmentWith(crypto: SecretCrypto): GroupEnvironment {
  return { crypto, policy: permissivePolicy, clock: { now: () => Date.now() } }
}

/** Bob as he is in Alice's epoch; each call gives another state of his. */
async function bobOf(provider: Provider, world: World): Promise<Group> {
  if (world.kind === 'cold') return join(environmentWith(provider()), world, world.bob)
  return (await settledBob(provider, world)).group
}

/**
 * In a warm tree Bob has committed, too, and knows the keys of all nodes above him. His randomness
 * is the same every time and so is his commit: as often as he does this he is in the same epoch.
 */
async function settledBob(
  provider: Provider,
  world: World,
): Promise<{ group: Group; commit: Bytes }> {
  const settled = provider(seededRandom('settled'))
  const joined = await join(environmentWith(settled), world, world.bob)
  const pending = await joined.commit()
  return { group: joined.confirm(pending), commit: pending.message }
}

function join(environment: GroupEnvironment, world: World, person: Person): Promise<Group> {
  return joinWith(environment, world, bundleOf(person))
}

function joinWith(
  environment: GroupEnvironment,
  { welcome, ratchetTree }: World,
  bundle: KeyPackageBundle,
): Promise<Group> {
  const message = decode(MlsMessage, welcome)
  if (message.wireFormat !== WireFormat.welcome) throw new TypeError('the world has no Welcome')
  return Group.join(environment, {
    welcome: message.welcome,
    bundle,
    ratchetTree: async () => decode(RatchetTree, ratchetTree),
  })
}

function founded(environment: GroupEnvironment, own: Person): Promise<Group> {
  return Group.found(environment, {
    cipherSuite: own.bundle.keyPackage.cipherSuite,
    groupId: suite1.random(16),
    own,
    lifetime,
    extensions: [],
  })
}

/** With keys of its own, because joining uses them up. */
function bundleOf({ bundle }: Person): KeyPackageBundle {
  const copyOf = ({ privateKey, publicKey }: HpkeKeyPair) => ({
    privateKey: privateKey.copy(),
    publicKey,
  })
  return { ...bundle, initKey: copyOf(bundle.initKey), leafKey: copyOf(bundle.leafKey) }
}

function addOf(keyPackage: Bytes): Proposal {
  return { proposalType: ProposalType.add, keyPackage: decode(KeyPackage, keyPackage) }
}

function removeOf({ removed }: World): Proposal {
  return { proposalType: ProposalType.remove, removed }
}

function groupAfter(received: Received): Group {
  if (received.kind === 'rejected') throw received.error
  if (received.kind === 'commit') return received.group
  throw new TypeError(`not a commit but ${received.kind}`)
}

function exportedBy(group: Group): Bytes {
  const secret = group.exportSecret('bench', utf8('context'), 32)
  const exported = secret.expose().slice()
  secret.wipe()
  return exported
}
