import type { Bytes } from '@conclave/core/codec'
import type { KeyPackageStock, Mail } from '@conclave/core/delivery'

/** A KeyPackage that its device has published. */
export interface PublishedKeyPackage {
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly ref: Bytes
  /** MLSMessage with a KeyPackage. */
  readonly keyPackage: Bytes
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/** A device of somebody: the KeyPackages of one are no other's. */
export interface DirectoryDevice {
  readonly identity: string
  readonly deviceKey: Bytes
}

export interface DirectoryLimits {
  readonly keyPackagesPerDevice: number
  readonly devicesPerIdentity: number
  readonly mailPerDevice: number
}

export interface ClaimedKeyPackage extends PublishedKeyPackage {
  readonly deviceKey: Bytes
  /** What the device has left. */
  readonly stock: KeyPackageStock
}

/**
 * KeyPackages of people who may be away, and the Welcomes that wait for them (RFC 9750 §5.1). Every
 * method is one atomic step, as in Store, with the same errors.
 */
export interface DirectoryStore {
  /** Null where a limit would be passed; then nothing is stored. */
  publish(
    device: DirectoryDevice,
    added: {
      readonly keyPackages: readonly PublishedKeyPackage[]
      readonly lastResort: PublishedKeyPackage | null
    },
    limits: DirectoryLimits,
    now: number,
  ): Promise<KeyPackageStock | null>
  stock(device: DirectoryDevice, now: number): Promise<KeyPackageStock>
  /** One of each device, oldest first, which no other claim gets; a last resort again and again. */
  claim(identity: string, now: number): Promise<readonly ClaimedKeyPackage[]>
  /** Puts a Welcome into the mailbox of the device whose claimed KeyPackage it is for, if any. */
  deliver(
    mail: Mail,
    expiresAt: number,
    limits: DirectoryLimits,
    now: number,
  ): Promise<DirectoryDevice | undefined>
  mailbox(device: DirectoryDevice, now: number): Promise<readonly Mail[]>
  collect(device: DirectoryDevice, ref: Bytes): Promise<void>
  /** Deletes what has expired; how many KeyPackages and Welcomes that were. */
  sweep(now: number): Promise<number>
  /** Deletes all that a device or, without a key, an identity has. */
  forget(identity: string, deviceKey?: Bytes): Promise<void>
  close(): Promise<void>
}
