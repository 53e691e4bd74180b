import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { fileStore } from '../../src/node/index.ts'
import { holdsTheContract } from './contract.ts'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'conclave-store-'))
})

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('the store in files', () => {
  holdsTheContract({
    medium: async () => {
      const directory = await mkdtemp(join(root, 'medium-'))
      return { open: () => fileStore({ directory, keyFile: join(directory, 'key') }) }
    },
    runs: 40,
  })
})
