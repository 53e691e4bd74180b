import type { Clock } from '@conclave/core'
import type { AccessClaims } from '@conclave/core/access'
import { type Bytes, CodecError, equalBytes } from '@conclave/core/codec'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import {
  maxKeyPackageBytes,
  type PackedReplyTo,
  packKeyPackages,
  packMail,
  type RequestOf,
  unpackKeyPackages,
} from '@conclave/core/delivery'
import type { Logger } from 'pino'
import { Rates } from '../connection/rates.ts'
import { TokenBucket } from '../connection/tokenBucket.ts'
import type { KeyserverObserver } from '../observer.ts'
import { type PackedRefusal, refuse, refuseFor } from '../ordering/orderingError.ts'
import type { DirectoryStore, PublishedKeyPackage } from './directory.ts'
import { DirectoryError } from './directoryError.ts'
import type { DirectoryHandlers } from './handlers.ts'
import { type DirectoryServiceLimits, defaultDirectoryLimits, lowStock } from './limits.ts'
import { type NotifyIdentity, postman } from './postman.ts'
import {
  type PublishingTerms,
  type VerifiedKeyPackage,
  verifyPublished,
} from './publishedKeyPackage.ts'

export interface DirectoryOptions {
  readonly store: DirectoryStore
  readonly crypto: PublicCrypto
  readonly clock: Clock
  readonly logger: Logger
  readonly notify: NotifyIdentity
  readonly limits?: Partial<DirectoryServiceLimits>
}

/** Finds the KeyPackages of people who are away, and keeps their Welcomes (RFC 9750 §5.1). */
export interface Directory {
  readonly handlers: DirectoryHandlers
  /** Puts the Welcomes of a commit into the mailboxes of those whose KeyPackages had been claimed. */
  readonly observer: KeyserverObserver
  /** Deletes what has expired; how much that was. */
  sweep(): Promise<number>
  /** Closes the store, too. */
  close(): Promise<void>
}

export function createDirectory(options: DirectoryOptions): Directory {
  const { store, crypto, clock, notify } = options
  const limits = { ...defaultDirectoryLimits, ...options.limits }
  const perMinute = limits.publishesPerMinute
  const publishes = new Rates(() => new TokenBucket(clock, perMinute / 60, perMinute))
  const mail = postman({ ...options, limits })

  const publish = async (
    { identity }: AccessClaims,
    request: RequestOf<'publish'>,
  ): Promise<PackedReplyTo<'publish'>> => {
    const read = readPublication(request)
    if (read === undefined) return refuse('request-malformed', 'there is nothing to publish')
    const { keyPackages, lastResort } = read
    if (keyPackages.length > limits.keyPackagesPerDevice) return full()
    if ([...keyPackages, ...lastResort].some(({ length }) => length > maxKeyPackageBytes)) {
      return refuse('payload-too-large', `a KeyPackage has at most ${maxKeyPackageBytes} bytes`)
    }
    if (!publishes.of(identity).take()) return refuse('rate-limited', 'published too often')
    const now = clock.now()
    const terms = { crypto, identity, now }
    let verified: Publication
    try {
      verified = await verifyPublication(keyPackages, lastResort, terms)
    } catch (error) {
      return refuseFor('key-package-invalid', error)
    }
    const { deviceKey, ...added } = verified
    const stock = await store.publish({ identity, deviceKey }, added, limits, now)
    return stock === null ? full() : { ok: true, ...stock }
  }

  return {
    handlers: {
      publish,
      async stock({ identity }, { deviceKey }) {
        return { ok: true, ...(await store.stock({ identity, deviceKey }, clock.now())) }
      },
      async claim({ identity: claimer }, { identity }) {
        const by = { identity: claimer, rate: limits.claims }
        const claimed = await store.claim(identity, by, clock.now())
        if (claimed === null) return refuse('rate-limited', 'claimed too often')
        for (const { deviceKey, stock } of claimed) {
          if (stock.remaining < lowStock) notify.stockLow(identity, { deviceKey, ...stock })
        }
        const keyPackages = claimed.map(({ keyPackage }) => keyPackage)
        return { ok: true, keyPackages: packKeyPackages(keyPackages) }
      },
      async mailbox({ identity }, { deviceKey }) {
        const found = await store.mailbox({ identity, deviceKey }, clock.now())
        return { ok: true, mail: packMail(found) }
      },
      async collect({ identity }, { deviceKey, ...mail }) {
        await store.collect({ identity, deviceKey }, mail)
        return { ok: true }
      },
    },
    observer: mail.observer,
    sweep: () => store.sweep(clock.now()),
    async close() {
      await mail.close()
      await store.close()
    },
  }
}

/** Undefined where a publication cannot be read or holds nothing. */
function readPublication(
  request: RequestOf<'publish'>,
): { readonly keyPackages: readonly Bytes[]; readonly lastResort: readonly Bytes[] } | undefined {
  try {
    const keyPackages = unpackKeyPackages(request.keyPackages)
    const lastResort = request.lastResort === null ? [] : [request.lastResort]
    return keyPackages.length + lastResort.length > 0 ? { keyPackages, lastResort } : undefined
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

interface Publication {
  readonly deviceKey: Bytes
  readonly keyPackages: readonly PublishedKeyPackage[]
  readonly lastResort: PublishedKeyPackage | null
}

/** One after the other, up to the first that is not good: each costs three signature checks. */
async function verifyPublication(
  keyPackages: readonly Bytes[],
  lastResort: readonly Bytes[],
  terms: Omit<PublishingTerms, 'kind'>,
): Promise<Publication> {
  const verify = async (messages: readonly Bytes[], kind: PublishingTerms['kind']) => {
    const verified: VerifiedKeyPackage[] = []
    for (const bytes of messages) verified.push(await verifyPublished(bytes, { ...terms, kind }))
    return verified
  }
  const single = await verify(keyPackages, 'single-use')
  const [last = null] = await verify(lastResort, 'last-resort')
  const [first, ...others] = last === null ? single : [last, ...single]
  if (first === undefined) throw new RangeError('there is nothing to publish')
  const { deviceKey } = first
  if (!others.every((other) => equalBytes(other.deviceKey, deviceKey))) {
    throw new DirectoryError(
      'key-package-device-mismatch',
      'KeyPackages that are published together are of one device',
    )
  }
  return { deviceKey, keyPackages: single, lastResort: last }
}

function full(): PackedRefusal {
  return refuse(
    'directory-full',
    'the directory holds as much of this device or identity as it may',
  )
}
