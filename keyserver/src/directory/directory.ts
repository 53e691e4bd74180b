import type { Bytes } from '@conclave/core/codec'
import type { KeyPackageStock, Mail } from '@conclave/core/delivery'

/** A KeyPackage that its device has published. */
export interface PublishedKeyPackage {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  /** MLSMessage with a KeyPackage. */
  readonly keyPackage: Bytes
  /** Until when it is handed out, in milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/** A device of somebody: the KeyPackages of one are no other's. */
export interface DirectoryDevice {
  readonly identity: string
  readonly deviceKey: Bytes
}

export interface DirectoryLimits {
  /** That nobody has claimed, without the last resort. */
  readonly keyPackagesPerDevice: number
  /** Including those that were claimed and are remembered, so that they are not handed out again. */
  readonly keyPackagesPerIdentity: number
  readonly devicesPerIdentity: number
  readonly mailPerDevice: number
  /** Of one mailbox: its Welcomes, packed one by one. */
  readonly mailBytesPerDevice: number
}

/** Who claims, and how often one may claim the KeyPackages of the same person. */
export interface Claimer {
  readonly identity: string
  readonly rate: { readonly claims: number; readonly perMs: number }
}

export interface ClaimedKeyPackage extends PublishedKeyPackage {
  readonly deviceKey: Bytes
  /** What the device has left. */
  readonly stock: KeyPackageStock
}

/**
 * How long after `expiresAt` a claimed KeyPackage is remembered, in milliseconds: a commit that uses
 * it may come as late as receivers accept (mls/public's `checkLifetime`).
 */
export const claimedMs = 30 * 60_000

/**
 * KeyPackages of people who may be away, and the Welcomes that wait for them (RFC 9750 §5.1). Every
 * method is one atomic step, as in Store, with the same errors.
 */
export interface DirectoryStore {
  /**
   * Adds KeyPackages; those that the device has published before, claimed or not, stay what they
   * are. Null where a limit would be passed; then nothing is stored.
   */
  publish(
    device: DirectoryDevice,
    added: {
      readonly keyPackages: readonly PublishedKeyPackage[]
      /** Replaces the one before; null leaves it. */
      readonly lastResort: PublishedKeyPackage | null
    },
    limits: DirectoryLimits,
    now: number,
  ): Promise<KeyPackageStock | null>
  stock(device: DirectoryDevice, now: number): Promise<KeyPackageStock>
  /**
   * One of each device, oldest first, which no other claim gets; where a device has no other, its
   * last resort, again and again. Null where the claimer has claimed too often; what gave nothing
   * does not count.
   */
  claim(
    identity: string,
    claimer: Claimer,
    now: number,
  ): Promise<readonly ClaimedKeyPackage[] | null>
  /**
   * Puts a Welcome into the device's mailbox: one for each KeyPackage that was claimed, for a last
   * resort one of each group. False where it is for no such KeyPackage or the mailbox is full.
   */
  deliver(
    device: DirectoryDevice,
    mail: Mail,
    expiresAt: number,
    limits: DirectoryLimits,
    now: number,
  ): Promise<boolean>
  /** Oldest first. */
  mailbox(device: DirectoryDevice, now: number): Promise<readonly Mail[]>
  collect(device: DirectoryDevice, mail: Pick<Mail, 'groupId' | 'ref'>): Promise<void>
  /** Deletes what has expired; how many KeyPackages and Welcomes that were. */
  sweep(now: number): Promise<number>
  /** Deletes all that a device or, without a key, an identity has. */
  forget(identity: string, deviceKey?: Bytes): Promise<void>
  close(): Promise<void>
}
