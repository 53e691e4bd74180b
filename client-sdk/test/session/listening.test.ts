import { setImmediate as turn } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { afterListening } from '../../src/edge/listening.ts'

it('is over after so many seconds, and not before', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const over = vi.fn()
  afterListening(3, over)
  vi.advanceTimersByTime(2_999)
  expect(over).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(over).toHaveBeenCalledOnce()
})

it('is never over once it is cancelled', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const over = vi.fn()
  const cancel = afterListening(3, over)
  vi.advanceTimersByTime(2_500)
  cancel()
  vi.advanceTimersByTime(10_000)
  expect(over).not.toHaveBeenCalled()
})

it('does not count the time in which nothing could be heard', async () => {
  const over = vi.fn()
  const cancel = afterListening(15, over, 1)
  // The process is busy for longer than all of it.
  for (const until = performance.now() + 50; performance.now() < until; );
  await turn()
  await turn()
  expect(over).not.toHaveBeenCalled()
  cancel()
})
