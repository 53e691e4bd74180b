import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SecretForm } from '../blindness/secretForms.ts'
import { SecretScanner } from '../blindness/secretScanner.ts'

export interface Found {
  readonly secret: string
  readonly form: SecretForm
  readonly file: string
}

/** Looks for secrets, by name, in every file of a folder. */
export async function findInFiles(
  folder: string,
  secrets: Readonly<Record<string, Uint8Array>>,
): Promise<Found[]> {
  const scanner = new SecretScanner<string>()
  for (const [name, bytes] of Object.entries(secrets)) scanner.add(bytes, name)
  const found: Found[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    for (const { secret, form } of scanner.scan(await readFile(file))) {
      found.push({ secret, form, file })
    }
  }
  return found
}
