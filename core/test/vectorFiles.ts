import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isContinuousIntegration } from './continuousIntegration.ts'

/**
 * Test vectors stay outside the repository: in the folder that CONCLAVE_VECTORS names, else in
 * `shared/vectors` beside the checkout.
 */
const folder =
  process.env['CONCLAVE_VECTORS'] ||
  fileURLToPath(new URL('../../../shared/vectors', import.meta.url))

export interface VectorFile {
  /** Where it is, or is missing. */
  readonly path: string
  readonly text: string | undefined
  /** Whether its absence is an error, rather than a reason to skip. */
  readonly required: boolean
}

/** Looks for a vector file, such as `mls/tree-math.json`. */
export function readVectorFile(name: string): VectorFile {
  const path = `${folder}/${name}`
  const text = existsSync(path) ? readFileSync(path, 'utf8') : undefined
  return { path, text, required: isContinuousIntegration() }
}
