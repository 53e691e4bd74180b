import { expect, test } from 'vitest'
import { Child } from '../../servers/child.ts'
import type { Questions } from './answeringProcess.ts'

const program = new URL('./answeringProcess.ts', import.meta.url)

test('each of two questions that are out at the same time gets its own answer', async () => {
  const child = await Child.start<Questions>(program, {})
  try {
    const both = Promise.all([child.ask('late'), child.ask('early', 'this')])
    expect(await both).toEqual(['after this', 'this'])
  } finally {
    await child.stop()
  }
})

test('a question that is asked of a process that has ended is refused', async () => {
  const child = await Child.start<Questions>(program, {})
  await child.stop()
  await expect(child.ask('early', 'this')).rejects.toMatchObject({ code: 'bench-server-failed' })
})

test('a question that is asked of a process before it is seen to have ended is refused', async () => {
  const child = await Child.start<Questions>(program, {})
  process.kill(await child.ask('processId'), 'SIGKILL')
  // Long enough for it to end, of which nothing is seen here meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  await expect(child.ask('early', 'this')).rejects.toMatchObject({ code: 'bench-server-failed' })
})
