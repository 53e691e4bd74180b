import { describe } from 'vitest'
import { memorySessionStore } from '../../src/index.ts'
import { holdsTheContract } from './contract.ts'

describe('the store in memory', () => {
  holdsTheContract({
    medium: async () => {
      const store = memorySessionStore()
      return { open: () => store }
    },
    runs: 300,
  })
})
