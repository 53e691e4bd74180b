import { createWorkerFrameCryptor, mediaPlatform } from '@conclave/client/media'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'

it('where encoded frames cannot be transformed, asking for it and making a cryptor say so', () => {
  const unsupported = expect.objectContaining({ code: 'media-unsupported-platform' })
  expect(() => mediaPlatform()).toThrow(unsupported)
  expect(() => createWorkerFrameCryptor({ clock: new VirtualClock() })).toThrow(unsupported)
})
