import { findProgram, chromium as program } from '../../entry/programs.mjs'
import { BenchError } from '../benchError.ts'

/** A secure context, as WebCrypto wants it; nothing is ever sent there. */
export const localOrigin = 'http://localhost'

/** A page that shares its process with nobody has a clock of 5 µs instead of 100 µs. */
export const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

/** @throws BenchError `bench-chromium-missing` */
export function chromiumPath(): string {
  const path = findProgram(program)
  if (path !== undefined) return path
  const { names, debianPackage, variable } = program
  throw new BenchError(
    'bench-chromium-missing',
    `there is no ${names[0]}: install Debian's package ${debianPackage}, or say in ${variable} where it is`,
  )
}
