import { createHash } from 'node:crypto'
import * as primitives from '../bench/primitives.ts'
import { cpuTime } from '../servers/child.ts'

/** The cryptography that clients cannot do without (`floorOf` counts it). */
export const operations = [
  /** Ed25519 by a key that is met for the first time, with its import. */
  'verifyNew',
  'verify',
  'sign',
  'hpkeSeal',
  'hpkeOpen',
  'deriveKeyPair',
  /** HMAC-SHA-256 of a short message, which extracting and expanding are too. */
  'mac',
  /** SHA-256 of a tree's node. */
  'hash',
  /** AES-128-GCM of a GroupInfo. */
  'aead',
] as const
export type PrimitiveOperation = (typeof operations)[number]
export type PrimitiveCounts = Readonly<Record<PrimitiveOperation, number>>
/** Milliseconds of one core for one. */
export type PrimitiveCosts = Readonly<Record<PrimitiveOperation, number>>

const blocks = 13
const blockMs = 6

/** What each costs here and now, by the fastest way that was found; the median of several blocks. */
export function measurePrimitives(): PrimitiveCosts {
  const runs = preparedRuns()
  return everyOperation((name) =>
    medianOf(Array.from({ length: blocks }, () => perOperation(runs[name]))),
  )
}

/** The mean of what each costs by several measurements. */
export function meanCosts(all: readonly PrimitiveCosts[]): PrimitiveCosts {
  return everyOperation((name) => all.reduce((sum, costs) => sum + costs[name], 0) / all.length)
}

function everyOperation(value: (name: PrimitiveOperation) => number): PrimitiveCosts {
  return Object.fromEntries(operations.map((name) => [name, value(name)])) as PrimitiveCosts
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number
}

export function noPrimitives(): Record<PrimitiveOperation, number> {
  return everyOperation(() => 0)
}

/** Milliseconds of one core. */
export function costOf(counts: PrimitiveCounts, costs: PrimitiveCosts): number {
  return operations.reduce((total, name) => total + counts[name] * costs[name], 0)
}

function preparedRuns(): Readonly<Record<PrimitiveOperation, () => unknown>> {
  const secret = new Uint8Array(32).fill(7)
  const message = new Uint8Array(400).fill(7)
  const nodeContent = new Uint8Array(150).fill(7)
  const groupInfo = new Uint8Array(600).fill(7)
  const key = secret.subarray(0, 16)
  const nonce = secret.subarray(0, 12)
  const signing = primitives.signatureKey(secret)
  const publicKey = publicOf(signing)
  const verifying = primitives.verificationKey(publicKey)
  const signature = primitives.sign(signing, message)
  const recipient = primitives.deriveKeyPair(secret)
  const sealed = primitives.hpkeSeal(recipient.publicKey, message, secret)
  return {
    verifyNew: () => primitives.verify(primitives.verificationKey(publicKey), message, signature),
    verify: () => primitives.verify(verifying, message, signature),
    sign: () => primitives.sign(signing, message),
    hpkeSeal: () => primitives.hpkeSeal(recipient.publicKey, message, secret),
    hpkeOpen: () => primitives.hpkeOpen(recipient, message, sealed),
    deriveKeyPair: () => primitives.deriveKeyPair(secret),
    mac: () => primitives.mac(secret, nodeContent),
    hash: () => createHash('sha256').update(nodeContent).digest(),
    aead: () => primitives.aeadSeal(key, nonce, secret, groupInfo),
  }
}

function publicOf(key: ReturnType<typeof primitives.signatureKey>): Uint8Array {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** By CPU time: what else goes on on the machine does not count. */
function perOperation(run: () => unknown): number {
  const started = cpuTime()
  let done = 0
  let elapsed = 0
  while (elapsed < blockMs) {
    for (let i = 0; i < 10; i++) run()
    done += 10
    elapsed = cpuTime() - started
  }
  return elapsed / done
}
