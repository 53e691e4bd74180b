import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bytes, emptyBytes, plainBytes, utf8 } from '@conclave/core/codec'
import { systemRandom } from '../edge/platform.ts'
import { SessionError } from '../session/sessionError.ts'
import type { SessionStore } from '../session/store.ts'
import { EntryCipher, type StoreKeys } from '../storage/entryCipher.ts'
import { type SealedEntries, sealedStore } from '../storage/sealedStore.ts'
import { storeCorrupted, storeUnavailable } from '../storage/storeErrors.ts'
import { holdLockFile } from './lockFiles.ts'
import { isErrno, makeOnce } from './makeOnce.ts'
import { createDatabase, keyCheckIn, openDatabase, sqliteEntries } from './sqliteEntries.ts'

/** Where the files are, and the key: as bytes, or as a file that has them. */
export type FileStoreOptions = {
  /** Made if it is not there, for its owner alone. */
  readonly directory: string
} & (
  | {
      /** 32 bytes from a key store of yours; copied. */
      readonly key: Bytes
      readonly keyFile?: never
    }
  | {
      /** Holds the 32 bytes; made if it is not there, for its owner alone. Keep it elsewhere. */
      readonly keyFile: string
      readonly key?: never
    }
)

const keyLength = 32
const databaseName = 'sessions.db'
const checkedKey = 'key check'

/**
 * Keeps sessions in an SQLite database of their own, each key and value encrypted. A crash leaves
 * the state before or after a write. Processes on one machine may share it, on a local disk. Opened
 * when it is first used; while it writes, a few milliseconds, it holds up the event loop.
 *
 * Needs Node 22.13.
 *
 * @throws SessionError `argument-invalid`
 */
export function fileStore(options: FileStoreOptions): SessionStore {
  const { directory } = options
  const keysFor = keySource(options)
  let opening: Promise<SealedEntries> | undefined
  const open = async () => {
    opening ??= connect(directory, keysFor)
    try {
      return await opening
    } catch (error) {
      // The next call tries again.
      opening = undefined
      throw unavailableIfErrno(error)
    }
  }
  const hold = async (name: string) => {
    const { cipher } = await open()
    const id = await cipher.id(name)
    try {
      return await holdLockFile(directory, id)
    } catch (error) {
      throw unavailableIfErrno(error)
    }
  }
  return sealedStore(open, hold)
}

function unavailableIfErrno(error: unknown): unknown {
  if (!isErrno(error)) return error
  return storeUnavailable('Let this user read and write the directory and the key file.', error)
}

/** Gives the keys, which may be made only where there is no database yet: `fresh`. */
type KeySource = (fresh: boolean) => Promise<StoreKeys>

function keySource({ key, keyFile }: FileStoreOptions): KeySource {
  if (key === undefined) return (fresh) => keysFrom(keyFile, fresh)
  if (key.length !== keyLength) {
    throw new SessionError('argument-invalid', `key must be ${keyLength} bytes`)
  }
  const keys = deriveKeys(key.slice())
  return () => keys
}

async function connect(directory: string, keysFor: KeySource): Promise<SealedEntries> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, databaseName)
  const size = await sizeOf(path)
  const cipher = new EntryCipher(crypto.subtle, systemRandom, await keysFor(size === undefined))
  if (size === undefined) {
    const keyCheck = await cipher.sealValue(checkedKey, emptyBytes)
    await makeOnce(path, async (temporary) => createDatabase(temporary, keyCheck))
  }
  // SQLite would take an empty file for a new database.
  if (size === 0) throw storeCorrupted('its file is empty')
  const database = openDatabase(path)
  try {
    await cipher.openValue(checkedKey, keyCheckIn(database))
    const entries = sqliteEntries(database, cipher)
    // An id that has changed would hide its entry.
    await Promise.all((await entries.sealedNames()).map((each) => cipher.openName(each)))
    return entries
  } catch (error) {
    database.close()
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function keysFrom(keyFile: string, fresh: boolean): Promise<StoreKeys> {
  if (fresh) await makeKeyFile(keyFile)
  const key = await readFile(keyFile).catch((error) => {
    throw isErrno(error, 'ENOENT') ? storeCorrupted('its key file is gone', error) : error
  })
  if (key.length !== keyLength) {
    key.fill(0)
    throw storeCorrupted(`its key file is not of ${keyLength} bytes`)
  }
  return await deriveKeys(plainBytes(key))
}

/** Leaves a key file that is there as it is. */
async function makeKeyFile(path: string): Promise<void> {
  if ((await sizeOf(path)) !== undefined) return
  const key = systemRandom(keyLength)
  try {
    await makeOnce(path, (temporary) => writeFile(temporary, key))
  } finally {
    key.fill(0)
  }
}

/** Wipes `key`. */
async function deriveKeys(key: Bytes): Promise<StoreKeys> {
  const { subtle } = crypto
  const master = await subtle.importKey('raw', key, 'HKDF', false, ['deriveKey'])
  key.fill(0)
  const derivation = (info: string): HkdfParams => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: emptyBytes,
    info: utf8(info),
  })
  const aes: AesKeyGenParams = { name: 'AES-GCM', length: 256 }
  const hmac: HmacKeyGenParams = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  const [sealing, naming] = await Promise.all([
    subtle.deriveKey(derivation('Conclave 1.0 StoreSealing'), master, aes, false, [
      'encrypt',
      'decrypt',
    ]),
    subtle.deriveKey(derivation('Conclave 1.0 StoreNaming'), master, hmac, false, ['sign']),
  ])
  return { sealing, naming }
}
