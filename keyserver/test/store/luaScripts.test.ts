import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { directoryScripts } from '../../src/directory/redis/directoryScripts.ts'
import { luaHeader } from '../../src/store/redis/luaScript.ts'
import { storeScripts } from '../../src/store/redis/storeScripts.ts'

const sources = new URL('../../src/', import.meta.url)
const namesIn = (folder: string) =>
  readdirSync(new URL(folder, sources))
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -'.lua'.length))
    .sort()
const sourceOf = (folder: string, name: string) =>
  readFileSync(new URL(`${folder}/${name}.lua`, sources), 'utf8')

/** Names that a script gives to its keys or arguments. */
function unpacked(source: string, table: 'KEYS' | 'ARGV'): readonly string[] {
  const found = new RegExp(`^local\\s+([\\w\\s,]+?)\\s*= unpack\\(${table}[^)]*\\)$`, 'm').exec(
    source,
  )
  return found?.[1]?.split(/,\s*/) ?? []
}

/** What is wrong with a script's header, given its text with all that it includes. */
function faultsOf(source: string, text: string): readonly string[] {
  const { keys, arguments: args } = luaHeader(source)
  const code = text
    .replaceAll(/^--.*$/gm, '')
    .replaceAll(/^local\s[\w\s,]+= unpack\((KEYS|ARGV).*\)$/gm, '')
  const isUsed = (name: string) => new RegExp(`\\b${name}\\b`).test(code)
  // A script that deletes all keys need not name each.
  const forAllKeys = code.includes("redis.call('UNLINK', unpack(KEYS))")
  const named = unpacked(source, 'KEYS')
  const faults: string[] = []
  if (!/^(#!lua\n)?-- (?!KEYS)[A-Z].*[^,]\n/.test(source)) faults.push('no description')
  if (!/^-- RESULT ./m.test(source)) faults.push('no result')
  if (named.join() !== keys.slice(0, forAllKeys ? named.length : undefined).join()) {
    faults.push('other keys')
  }
  if (unpacked(source, 'ARGV').join() !== args.join()) faults.push('other arguments')
  for (const name of [...(forAllKeys ? [] : keys), ...args]) {
    if (!isUsed(name)) faults.push(`${name} is not used`)
  }
  return faults
}

describe.each([
  ['store/redis/lua', storeScripts],
  ['directory/redis/lua', directoryScripts],
])('the scripts in %s', (folder, scripts) => {
  test('are all the files there are', () => {
    expect(Object.keys(scripts)).toEqual(namesIn(folder))
    const included = Object.values(scripts).flatMap((script) => script.included)
    expect([...new Set(included)].sort()).toEqual(namesIn(`${folder}/include`))
  })

  test.each(Object.values(scripts))('$name has a header that matches its use', (script) => {
    expect(script.keys.length).toBeGreaterThan(0)
    expect(script.text).not.toContain('@include')
    expect(faultsOf(sourceOf(folder, script.name), script.text)).toEqual([])
  })
})

test.each([
  ['other keys', /(KEYS group )attached/, '$1leases'],
  ['leases is not used', /^(-- KEYS|local group)(.*)\bdue\b/gm, '$1$2leases'],
  ['no description', /^.*\n/, ''],
  ['no result', /RESULT/, 'Result'],
  ['other arguments', /ARGV groupId/, 'ARGV'],
])('a header with a fault is found out: %s', (fault, from, to) => {
  const source = sourceOf('store/redis/lua', 'detach')
  const faulty = source.replace(from, to)
  expect(faulty).not.toBe(source)
  expect(faultsOf(faulty, storeScripts.detach.text.replace(from, to))).toContain(fault)
})
