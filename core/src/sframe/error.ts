import { ConclaveError } from '../error.ts'

export type SFrameErrorCode =
  | 'sframe-unsupported-suite'
  | 'sframe-value-out-of-range'
  | 'sframe-leaf-out-of-range'
  | 'sframe-base-key-length'
  | 'sframe-epoch-not-newer'
  | 'sframe-counter-exhausted'
  | 'sframe-keys-closed'

/** A caller's own mistake. What a peer's frames cause is a {@link DropReason}, never a throw. */
export class SFrameError extends ConclaveError<SFrameErrorCode> {
  override readonly name = 'SFrameError'
}
