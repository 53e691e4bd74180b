import { type Bytes, fromUtf8, plainBytes } from '@conclave/core/codec'
import { StoreError } from '../storeError.ts'

/** @throws StoreError `store-corrupted` */
export function bytesOf(reply: unknown): Bytes {
  if (reply instanceof Uint8Array) return plainBytes(reply)
  throw corrupted('a byte string')
}

/** @throws StoreError `store-corrupted` */
export function textOf(reply: unknown): string {
  const text = fromUtf8(bytesOf(reply))
  if (text === undefined) throw corrupted('a text')
  return text
}

/** @throws StoreError `store-corrupted` */
export function numberOf(reply: unknown): number {
  const number = typeof reply === 'number' ? reply : Number(textOf(reply))
  if (!Number.isFinite(number)) throw corrupted('a number')
  return number
}

/** @throws StoreError `store-corrupted` */
export function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply
  throw corrupted('a list')
}

/** A list's items, `size` at a time. @throws StoreError `store-corrupted` */
export function tuplesOf(reply: unknown, size: number): readonly (readonly unknown[])[] {
  const items = listOf(reply)
  if (items.length % size !== 0) throw corrupted(`items in groups of ${size}`)
  return Array.from({ length: items.length / size }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  )
}

/** A list of names and values. @throws StoreError `store-corrupted` */
export function fieldsOf(reply: unknown): ReadonlyMap<string, unknown> {
  return new Map(tuplesOf(reply, 2).map(([name, value]) => [textOf(name), value]))
}

export function corrupted(expected: string): StoreError {
  return new StoreError('store-corrupted', `Redis answered with something else than ${expected}`)
}
