import { createWorkerFrameCryptor } from '@conclave/client/media'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'

it('where encoded frames cannot be transformed, making a frame cryptor says so', () => {
  expect(() => createWorkerFrameCryptor({ clock: new VirtualClock() })).toThrow(
    expect.objectContaining({ code: 'media-unsupported-platform' }),
  )
})
