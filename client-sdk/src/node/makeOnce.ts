import { randomUUID } from 'node:crypto'
import { link, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a file that only its owner can read. Whoever looks finds no file or the whole of it, and
 * where several processes make it, the first one's stays.
 *
 * @param fill writes the content to a file that is there already, still under another name
 */
export async function makeOnce(
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  const file = await open(temporary, 'wx', 0o600)
  try {
    await fill(temporary)
    await file.sync()
    await link(temporary, path)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  } finally {
    await file.close()
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(path))
}

/** A new name outlasts a power failure once its directory is on the disk. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Whether this is an error of the file system, and the one of this code if one is given. */
export function isErrno(error: unknown, code?: string): boolean {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return false
  return code === undefined || error.code === code
}
