/*
 * KIDs and counters have 64 bits. Arithmetic on BigInts costs more than all else that is done with a
 * frame but the cipher: their bytes are got from two numbers of 32 bits.
 */

/** The upper 32 bits of an unsigned integer of 64. */
export function upperHalf(value: bigint): number {
  return Number(value >> 32n)
}

/** The lower 32 bits of an unsigned integer. */
export function lowerHalf(value: bigint): number {
  return Number(BigInt.asUintN(32, value))
}
