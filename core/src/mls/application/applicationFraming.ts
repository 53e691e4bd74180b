import type { Bytes } from '../../codec/bytes.ts'
import { encode, type Infer, opaque, struct } from '../../codec/tls.ts'
import { MlsError } from '../mlsError.ts'
import { decodeAs } from '../public/appDataDictionary.ts'
import { MediaType } from './mediaType.ts'

/*
 * draft-ietf-mls-extensions, "Framing of application_data"
 *
 * struct {
 *     MediaType media_type;
 *     opaque inner_application_content<V>;
 * } ApplicationFraming;
 */
export const ApplicationFraming = struct({
  mediaType: MediaType,
  innerApplicationContent: opaque(),
})
export type ApplicationFraming = Infer<typeof ApplicationFraming>

const unnamed: MediaType = { type: new Uint8Array(0), parameters: [] }

/**
 * `application_data` for a group whose GroupContext has `content_media_types`. Without a media type
 * it is the first of those.
 */
export function frameApplicationData(
  innerApplicationContent: Bytes,
  mediaType: MediaType = unnamed,
): Bytes {
  return encode(ApplicationFraming, { mediaType, innerApplicationContent })
}

/**
 * What `frameApplicationData` gave, the media type always named. `mediaTypes` is the GroupContext's
 * `content_media_types`.
 * @throws MlsError `application-framing-malformed`
 */
export function unframeApplicationData(
  applicationData: Bytes,
  mediaTypes: readonly MediaType[],
): ApplicationFraming {
  const framing = decodeAs('application-framing-malformed', ApplicationFraming, applicationData)
  if (framing.mediaType.type.length > 0) return framing
  const [first] = mediaTypes
  if (first === undefined || framing.mediaType.parameters.length > 0) {
    throw new MlsError('application-framing-malformed', 'content of no media type')
  }
  return { ...framing, mediaType: first }
}
