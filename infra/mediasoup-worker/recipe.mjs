import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../entry/repository.mjs'

/**
 * What a local build of the worker changes in mediasoup's sources, so that they need nothing from
 * the web.
 */

/** Replaces `worker/subprojects`: the system's libraries under the names that the build asks for. */
export const subprojects = join(repository, 'infra', 'mediasoup-worker', 'subprojects')

/** Text that occurs once in a file of `worker/`, and what stands there instead. */
export const sourceChanges = [
  {
    reason: 'Debian 12 has meson 1.0, which is enough for what the file uses',
    file: 'meson.build',
    from: "meson_version: '>= 1.1.0'",
    to: "meson_version: '>= 1.0.0'",
  },
  {
    // BIO_CB_RETURN comes combined with the operation that returns, so equality never holds and
    // every control operation answers 1. An OpenSSL built with kernel TLS, like Debian's, takes
    // that as "this BIO encrypts by itself" and crashes in the handshake.
    reason: 'the BIO callback passes on what control operations return',
    file: 'src/RTC/DtlsTransport.cpp',
    from: '(operationType == BIO_CB_RETURN) ?',
    to: '(operationType & BIO_CB_RETURN) != 0 ?',
  },
]

/** Upstream's own release options, and no downloads. */
export const mesonOptions = ['--buildtype=release', '-Db_ndebug=true', '--wrap-mode=nodownload']

/** Tells apart the workers that different recipes give from the same version of mediasoup. */
export function recipeHash() {
  const hash = createHash('sha256').update(JSON.stringify([sourceChanges, mesonOptions]))
  const names = readdirSync(subprojects, { recursive: true, encoding: 'utf8' }).sort()
  for (const name of names) {
    const path = join(subprojects, name)
    if (statSync(path).isFile()) hash.update(`\0${name}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}
