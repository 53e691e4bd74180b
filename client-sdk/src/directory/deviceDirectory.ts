import { type Clock, ConclaveError, Lane, type RandomBytes } from '@conclave/core'
import { type Bytes, equalBytes, toHex } from '@conclave/core/codec'
import type { SecretCrypto, Signer } from '@conclave/core/crypto/secret'
import {
  type KeyPackageStock,
  type Mail,
  packKeyPackages,
  type ServerNotices,
} from '@conclave/core/delivery'
import { defaultStore } from '../edge/defaultStore.ts'
import { platformCrypto, systemClock, systemRandom } from '../edge/platform.ts'
import { connectServer, type TokenSource } from '../edge/serverConnection.ts'
import { socketTransport } from '../edge/socketTransport.ts'
import { IsolatedEmitter } from '../isolatedEmitter.ts'
import { suiteOf } from '../session/enterMeeting.ts'
import { deviceSigner, type MeetingIdentity, suitesFor } from '../session/identity.ts'
import { isTransient, refusal, SessionError } from '../session/sessionError.ts'
import type { SessionStore } from '../session/store.ts'
import type { DeliveryTransport } from '../session/transport.ts'
import { Invitation } from './invitation.ts'
import { KeyPackageShelf, type ShelvedKeyPackage } from './keyPackageShelf.ts'
import { outdated, type StockPlan, stockPlan } from './stockPlan.ts'

export interface DeviceDirectoryOptions {
  /** The keyserver's URL; `https:` except on this machine. */
  readonly keyserver: string
  /** For this identity; of any meeting. */
  readonly token: TokenSource
  readonly identity: MeetingIdentity
  /** The same as the meetings', whose device this is; where not given, as in `JoinOptions`. */
  readonly store?: SessionStore
  readonly clock?: Clock
  readonly random?: RandomBytes
  readonly crypto?: SecretCrypto
  /** Makes the way to the keyserver; socket.io to `keyserver` where not given. */
  readonly transport?: () => DeliveryTransport
}

export interface DeviceDirectoryEvents {
  /** This device was added to a meeting while it was away; told once for each Welcome. */
  invited: (invitation: Invitation) => void
  /** What the directory has of this device after something was published. */
  published: (stock: KeyPackageStock) => void
  /** Something that a server did was refused, or has to be tried again; for a log. */
  problem: (error: ConclaveError) => void
  /** The last event, if the keyserver will not have us. */
  ended: (error: ConclaveError) => void
}

/** How often the mailbox is looked into, in milliseconds, where no notice tells of a Welcome. */
const roundsEveryMs = 60_000
/** How often the directory is asked for what it has of us, where it does not tell by itself. */
const stockEveryMs = 60 * 60_000
/** The pause after each publication, whatever the keyserver says has become of it. */
const publishPauseMs = 60_000
/** Welcomes that are read at once; a keyserver that keeps its limits has fewer. */
const maxMail = 256

/**
 * This device in the keyserver's directory, so that others can add it to meetings while it is away
 * (RFC 9750 §5.1): keeps KeyPackages published, and takes in the Welcomes that wait for it.
 *
 *     const device = DeviceDirectory.open({ keyserver, token, identity })
 *     device.on('invited', (invitation) => ring(invitation.meetingId, invitation))
 *     const meeting = await SecureMeeting.join({ …, meetingId: invitation.meetingId, invitation })
 */
export class DeviceDirectory {
  readonly #events = new IsolatedEmitter<DeviceDirectoryEvents>()
  readonly #lane = new Lane()
  readonly #clock: Clock
  readonly #identity: MeetingIdentity
  readonly #shelf: KeyPackageShelf
  readonly #transport: DeliveryTransport
  readonly #makeDevice: () => Promise<Signer>
  #device: Signer | undefined
  /** Welcomes that the application knows of: hexadecimal `ref/groupId`. */
  #told: ReadonlySet<string> = new Set()
  /** The last resort that the directory has said it has, by this connection or an earlier one. */
  #lastResort: string | undefined
  #stockDueAt = 0
  #publishNotBefore = 0
  #connected = false
  #rounds = 0
  #cancelTimer: (() => void) | undefined
  #closed = false

  private constructor(options: DeviceDirectoryOptions) {
    const { identity, clock = systemClock, random = systemRandom } = options
    const { store = defaultStore(), crypto = platformCrypto(random), transport } = options
    const suite = suiteOf(crypto)
    this.#clock = clock
    this.#identity = identity
    const cipherSuites = suitesFor(crypto, suite)
    this.#shelf = new KeyPackageShelf({ suite, cipherSuites, store, random, clock, identity })
    this.#makeDevice = () => deviceSigner(suite, store, random)
    this.#transport =
      transport?.() ?? socketTransport(connectServer(options.keyserver), options.token)
  }

  /**
   * Begins at once, and goes on until it is closed, over all that may happen to the connection.
   * @throws AccessError `url-invalid`, `insecure-url`; SessionError `platform-unsupported`
   */
  static open(options: DeviceDirectoryOptions): DeviceDirectory {
    const directory = new DeviceDirectory(options)
    directory.#start()
    return directory
  }

  on<E extends keyof DeviceDirectoryEvents>(event: E, listener: DeviceDirectoryEvents[E]): this {
    this.#events.on(event, listener)
    return this
  }

  off<E extends keyof DeviceDirectoryEvents>(event: E, listener: DeviceDirectoryEvents[E]): this {
    this.#events.off(event, listener)
    return this
  }

  /** Looks into the mailbox now, as an application does that has been woken by a push message. */
  check(): void {
    this.#wake()
  }

  /** Ends the connection. What is published stays, and so do the keys for it. Safe to call twice. */
  close(): void {
    this.#closed = true
    this.#connected = false
    this.#cancelTimer?.()
    this.#transport.close()
  }

  #start(): void {
    this.#transport.start({
      connected: () => {
        this.#connected = true
        this.#stockDueAt = 0
        this.#wake()
      },
      disconnected: () => {
        this.#connected = false
      },
      rejected: (code, message) => {
        if (this.#closed) return
        this.close()
        this.#events.emit('ended', new SessionError('keyserver-refused', message, { detail: code }))
      },
      notice: (name, notice) => {
        if (name !== 'stockLow' && name !== 'mail') return
        this.#concerned(name, notice as ServerNotices['mail'])
      },
    })
  }

  /** The identity's other devices are told too, and it of theirs. */
  #concerned(name: 'stockLow' | 'mail', { deviceKey }: ServerNotices['mail']): void {
    if (this.#device === undefined || !equalBytes(deviceKey, this.#device.publicKey)) return
    if (name === 'stockLow') this.#stockDueAt = 0
    this.#wake()
  }

  /** One round goes on and one waits, however much happens meanwhile. */
  #wake(): void {
    if (this.#closed || this.#rounds > 1) return
    this.#rounds += 1
    void this.#lane.run(async () => {
      try {
        if (this.#connected) await this.#round()
      } catch (error) {
        this.#failed(error)
      } finally {
        this.#rounds -= 1
        this.#wakeLater()
      }
    })
  }

  #wakeLater(): void {
    this.#cancelTimer?.()
    if (this.#closed) return
    this.#cancelTimer = this.#clock.setTimer(roundsEveryMs, () => this.#wake())
  }

  #failed(error: unknown): void {
    if (this.#closed) return
    if (!(error instanceof ConclaveError)) {
      const cause = error
      this.#report(new SessionError('session-ended', 'a look into the directory failed', { cause }))
    } else this.#report(error)
  }

  #report(error: ConclaveError): void {
    this.#events.emit('problem', error)
  }

  async #round(): Promise<void> {
    this.#device ??= await this.#makeDevice()
    const reply = await this.#transport.request('mailbox', { deviceKey: this.#deviceKey })
    if (!reply.ok) throw refusal(reply)
    const mail = reply.mail.slice(0, maxMail)
    if (mail.length === 0 && this.#clock.now() < this.#stockDueAt) return
    const shelved = await this.#shelf.contents((error) => this.#report(error))
    const taken = await this.#shelf.taken()
    const waiting = await this.#sort(mail, shelved, taken)
    const now = this.#clock.now()
    await this.#shelf.discard(outdated(shelved, waiting, now))
    const used = new Set([...mail.map(nameOf), ...taken].map((name) => name.split('/')[0] ?? ''))
    const lastResortUsed = this.#lastResort !== undefined && used.has(this.#lastResort)
    if (this.#closed || (now < this.#stockDueAt && !lastResortUsed)) return
    // A clock that was set back must not put off what is due.
    if (now < this.#publishNotBefore && this.#publishNotBefore <= now + publishPauseMs) return
    await this.#replenish(shelved, used, now)
  }

  /** Tells of Welcomes that may be taken and are new; those that nobody can open are put away. */
  async #sort(
    mail: readonly Mail[],
    shelved: readonly ShelvedKeyPackage[],
    taken: ReadonlySet<string>,
  ): Promise<readonly Mail[]> {
    const ours = new Set(shelved.map(({ ref }) => ref))
    const waiting: Mail[] = []
    for (const one of mail) {
      if (ours.has(toHex(one.ref)) && !taken.has(nameOf(one))) waiting.push(one)
      else await this.#collect(one)
    }
    const news = waiting.filter((one) => !this.#told.has(nameOf(one)))
    this.#told = new Set(waiting.map(nameOf))
    for (const one of news) {
      if (!this.#closed) this.#events.emit('invited', this.#invitation(one))
    }
    return waiting
  }

  #invitation(mail: Mail): Invitation {
    return new Invitation(this.#identity.id, mail, async () => {
      const taken = await this.#shelf.take(toHex(mail.ref), toHex(mail.groupId))
      if (this.#connected) void this.#lane.run(() => this.#collect(mail)).catch(() => {})
      return taken
    })
  }

  /** Where the answer stays out, the next round finds it in the mailbox again. */
  async #collect({ groupId, ref }: Mail): Promise<void> {
    const deviceKey = this.#deviceKey
    const reply = await this.#transport.request('collect', { deviceKey, groupId, ref })
    if (!reply.ok) throw refusal(reply)
  }

  async #replenish(
    shelved: readonly ShelvedKeyPackage[],
    used: ReadonlySet<string>,
    now: number,
  ): Promise<void> {
    const stock = await this.#transport.request('stock', { deviceKey: this.#deviceKey })
    if (!stock.ok) throw refusal(stock)
    const plan = stockPlan({ shelved, used, stock, published: this.#lastResort, now })
    if (plan.nothing) this.#stockDueAt = now + stockEveryMs
    else await this.#publish(plan, now)
  }

  async #publish({ singleUse, renewed, lastResort }: StockPlan, now: number): Promise<void> {
    const device = this.#device as Signer
    this.#publishNotBefore = now + publishPauseMs
    const made = await this.#shelf.make(device, [
      ...Array.from({ length: singleUse }, () => 'single-use' as const),
      ...(renewed ? (['last-resort'] as const) : []),
    ])
    if (this.#closed) return
    const last = made.find((each) => each.lastResort) ?? lastResort
    const reply = await this.#transport.request('publish', {
      keyPackages: packKeyPackages(made.filter((m) => !m.lastResort).map((m) => m.encoded)),
      lastResort: last?.encoded ?? null,
    })
    if (!reply.ok) {
      const error = refusal(reply)
      // Unless it is unknown whether it has had an effect, nobody will ever use them.
      if (!isTransient(error)) await this.#shelf.discard(made.map(({ ref }) => ref))
      this.#stockDueAt = now + (isTransient(error) ? 0 : stockEveryMs)
      throw error
    }
    if (last !== undefined) this.#lastResort = last.ref
    this.#stockDueAt = now + stockEveryMs
    const { remaining, lastResort: kept } = reply
    if (!this.#closed) this.#events.emit('published', { remaining, lastResort: kept })
  }

  get #deviceKey(): Bytes {
    return (this.#device as Signer).publicKey
  }
}

function nameOf({ ref, groupId }: Mail): string {
  return `${toHex(ref)}/${toHex(groupId)}`
}
