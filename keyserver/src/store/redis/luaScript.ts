import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * One atomic step: a Lua file whose header names its keys. One that stores something new begins
 * with `#!lua`: Redis then refuses it before its first command where memory is short.
 */
export interface LuaScript {
  readonly name: string
  /** Names of the keys, in their order. */
  readonly keys: readonly string[]
  readonly included: readonly string[]
  readonly text: string
  /** By which a server that has seen the text knows it: SHA-1, hexadecimal. */
  readonly sha: string
}

// The files are not compiled: the package's `dist` reads them from its `src`, too.
const sources = new URL('../../../src/', import.meta.url)

/**
 * Reads the script `<folder>/<name>.lua` and the files that it includes.
 *
 * @param folder below the package's `src`, such as `store/redis/lua`
 */
export function readLuaScript(folder: string, name: string): LuaScript {
  const read = (file: string) =>
    readFileSync(fileURLToPath(new URL(`${folder}/${file}.lua`, sources)), 'utf8')
  const source = read(name)
  const included = new Set<string>()
  const include = (text: string): string =>
    text.replace(/^--- @include (\w+)\n/gm, (_, file: string) => {
      if (included.has(file)) return ''
      included.add(file)
      return include(read(`include/${file}`))
    })
  const text = include(source)
  const sha = createHash('sha1').update(text).digest('hex')
  return { name, keys: luaHeader(source).keys, included: [...included], text, sha }
}

/** What a script's leading comment says: the names under KEYS, and of ARGV those before a comma. */
export function luaHeader(source: string): {
  readonly keys: readonly string[]
  readonly arguments: readonly string[]
} {
  const comment = /^(?:#!lua\n)?(?:--.*\n)*/.exec(source)?.[0] ?? ''
  const section = (title: string) => {
    const found = new RegExp(`^-- ${title} (.*\n(?:-- {3}.*\n)*)`, 'm').exec(comment)?.[1] ?? ''
    const [names = ''] = found.replaceAll(/\n--/g, ' ').split(/[,(]/)
    return names.split(/\s+/).filter((word) => word !== '')
  }
  return { keys: section('KEYS'), arguments: section('ARGV') }
}
