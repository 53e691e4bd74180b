import {
  type MediaRequest,
  type MediaRequestName,
  mediaKindOf,
  mediaSources,
} from '@conclave/core/mediaSignalling'
import { z } from 'zod'
import { dtlsParameters, rtpCapabilities, rtpParameters } from './rtpSchemas.ts'

const id = z.string().min(1).max(64)
const producer = z.object({ producerId: id })
const consumer = z.object({ consumerId: id })

/** The KID layout has ten bits for a leaf index (DESIGN §3), a group never more than 2^32 leaves. */
const leaf = z
  .int()
  .min(0)
  .max(2 ** 32 - 1)

/** What each request must look like; anything else is refused before it is handled. */
export const requestSchemas: { [Name in MediaRequestName]: z.ZodType<MediaRequest<Name>> } = {
  join: z.object({ meeting: z.string().min(1).max(256).exactOptional() }),
  createTransport: z.object({ direction: z.enum(['send', 'recv']) }),
  connectTransport: z.object({ transportId: id, dtlsParameters }),
  produce: z
    .object({
      transportId: id,
      kind: z.enum(['audio', 'video']),
      rtpParameters,
      source: z.enum(mediaSources),
      leaf,
    })
    .refine(({ kind, source }) => mediaKindOf(source) === kind, 'source and kind do not fit'),
  pauseProducer: producer,
  resumeProducer: producer,
  closeProducer: producer,
  consume: z.object({ transportId: id, producerId: id, rtpCapabilities }),
  pauseConsumer: consumer,
  resumeConsumer: consumer,
  requestKeyFrame: consumer,
  closeConsumer: consumer,
  leave: z.object({}),
}

export function isRequestName(name: unknown): name is MediaRequestName {
  return typeof name === 'string' && Object.hasOwn(requestSchemas, name)
}
