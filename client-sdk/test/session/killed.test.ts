import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { storeDirectories } from '../storage/storeDirectories.ts'
import { meetingId, startKeyserver } from './keyserver.ts'
import { identities } from './support/witness.ts'

const newDirectory = storeDirectories()
const program = new URL('./killedParticipant.ts', import.meta.url).pathname
/** For a loaded machine; nothing here takes that long. */
const patience = { timeout: 30_000, interval: 20 }

/** Bob’s process, and what it says of itself: `epoch leaf`. */
function start(...args: readonly string[]): { child: ChildProcess; said: string[] } {
  const child = spawn(process.execPath, ['--conditions=conclave:source', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const said: string[] = []
  if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => said.push(line))
  return { child, said }
}

it('a process that is killed comes back to its place, which nobody saw it leave', async () => {
  const server = await startKeyserver()
  const alice = await server.join('alice')
  const directory = await newDirectory()
  const token = await server.tokenFor('bob')
  const args = [directory, server.url, meetingId, token] as const
  const leaves: string[] = []
  for (let round = 0; round < 4; round++) {
    const { epoch } = alice.view
    const { child, said } = start(...args)
    // Where it comes back it renews the keys that have lain in the store.
    await expect
      .poll(
        () => alice.view.epoch > epoch && said.at(-1)?.startsWith(`${alice.view.epoch} `),
        patience,
      )
      .toBe(true)
    leaves.push(said.at(-1)?.split(' ')[1] ?? '')
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  expect(new Set(leaves).size).toBe(1)
  expect(identities(alice)).toEqual(['alice', 'bob'])
  expect(server.witness(alice).left).toEqual([])
  expect(server.witness(alice).joined).toEqual(['bob'])
  expect(server.witness(alice).problems).toEqual([])
})
