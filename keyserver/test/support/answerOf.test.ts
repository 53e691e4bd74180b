import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { answerOf } from './answerOf.ts'

function echoingProcess(): ChildProcess {
  const program = 'process.on("message", (question) => process.send(question))'
  return spawn(process.execPath, ['--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

/** Long enough for a process to end, of which nothing is seen here meanwhile. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
}

test('a process that has ended without being seen to answers nothing', async () => {
  const child = echoingProcess()
  expect(await answerOf(child, 'first')).toBe('first')
  child.kill('SIGKILL')
  standStill()
  expect(child.signalCode).toBeNull()
  expect(await answerOf(child, 'second')).toBeUndefined()
  expect(child.signalCode).toBe('SIGKILL')
})

test('a process that is killed while it is asked answers nothing', async () => {
  const child = echoingProcess()
  const asked = answerOf(child, 'first')
  child.kill('SIGKILL')
  expect(await asked).toBeUndefined()
})

test('a process that is known to have ended answers nothing', async () => {
  const child = echoingProcess()
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await answerOf(child, 'first')).toBeUndefined()
  expect([child.listenerCount('message'), child.listenerCount('exit')]).toEqual([0, 0])
})
