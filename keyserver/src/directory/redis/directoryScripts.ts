import { readLuaScript } from '../../store/redis/luaScript.ts'

const read = (name: string) => readLuaScript('directory/redis/lua', name)

/** The atomic steps of the directory in Redis, one Lua file each. */
export const directoryScripts = {
  claim: read('claim'),
  collect: read('collect'),
  deliver: read('deliver'),
  forget: read('forget'),
  mailbox: read('mailbox'),
  noteDue: read('noteDue'),
  publish: read('publish'),
  stock: read('stock'),
  sweep: read('sweep'),
  takeDue: read('takeDue'),
}
