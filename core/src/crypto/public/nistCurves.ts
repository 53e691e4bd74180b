import { p256, p384, p521 } from '@noble/curves/nist.js'

/** The curves of ECDSA and of DHKEM over NIST's groups, as noble implements them. */
export const nistCurves = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const
