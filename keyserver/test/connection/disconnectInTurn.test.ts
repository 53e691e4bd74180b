import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { disconnectInTurn } from '../../src/connection/disconnectInTurn.ts'

describe('a draining keyserver', () => {
  test.each([0, 1, 7, 20, 45])(
    'cuts %i connections one after the other in its time',
    async (count) => {
      const clock = new VirtualClock()
      const started = clock.now()
      const cutAt: number[] = []
      const sockets = Array.from({ length: count }, () => ({
        disconnect: () => cutAt.push(clock.now() - started),
      }))
      let done = false
      void disconnectInTurn(sockets, 2_000, clock).then(() => {
        done = true
      })
      await clock.advanceAsync(2_000)
      expect(done).toBe(true)
      expect(cutAt).toHaveLength(count)
      for (const at of new Set(cutAt)) {
        expect(cutAt.filter((other) => other === at).length).toBeLessThanOrEqual(3)
      }
      expect(Math.max(0, ...cutAt)).toBeLessThan(2_000)
    },
  )
})
