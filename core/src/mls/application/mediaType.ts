import { type Bytes, toHex, utf8 } from '../../codec/bytes.ts'
import { encode, type Infer, opaque, struct, vector } from '../../codec/tls.ts'
import type { Extensions } from '../../wire/extension.ts'
import { ComponentType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { type ComponentData, readComponent } from '../public/appDataDictionary.ts'

/*
 * draft-ietf-mls-extensions, "Content Advertisement"
 *
 * struct {
 *     opaque parameter_name<V>;
 *     // never with the quotation marks of a quoted-string or the first "\" of a quoted-pair
 *     opaque parameter_value<V>;
 * } Parameter;
 *
 * struct {
 *     // an IANA top-level media type, a "/" character and the IANA media subtype
 *     opaque type<V>;
 *     Parameter parameters<V>;
 * } MediaType;
 *
 * struct {
 *     // at least one
 *     MediaType media_type_list<V>;
 * } MediaTypeList;
 *
 * MediaTypeList content_media_types;
 */
const Parameter = struct({ parameterName: opaque(), parameterValue: opaque() })
export const MediaType = struct({ type: opaque(), parameters: vector(Parameter) })
export type MediaType = Infer<typeof MediaType>

const MediaTypeList = struct({ mediaTypeList: vector(MediaType) })

/** `mediaType('text/plain', { charset: 'UTF-8' })` */
export function mediaType(
  type: string,
  parameters: Readonly<Record<string, string>> = {},
): MediaType {
  return {
    type: utf8(type),
    parameters: Object.entries(parameters).map(([name, value]) => ({
      parameterName: utf8(name),
      parameterValue: utf8(value),
    })),
  }
}

/**
 * `content_media_types`: in a LeafNode what its client can receive, in a GroupContext what every
 * member has to be able to.
 * @throws MlsError `extension-malformed`, `app-data-malformed`
 */
export function readMediaTypes(extensions: Extensions): readonly MediaType[] | undefined {
  const { contentMediaTypes } = ComponentType
  const list = readComponent(extensions, contentMediaTypes, MediaTypeList)?.mediaTypeList
  if (list?.length === 0) throw emptyList()
  return list
}

/**
 * The data of `content_media_types`.
 * @throws MlsError `app-data-malformed` for an empty list
 */
export function mediaTypesComponent(mediaTypeList: readonly MediaType[]): ComponentData {
  if (mediaTypeList.length === 0) throw emptyList()
  return {
    componentId: ComponentType.contentMediaTypes,
    data: encode(MediaTypeList, { mediaTypeList }),
  }
}

/**
 * Whether two are the same by RFC 2045 §5.1: types and the names of parameters in any case, the
 * parameters in any order.
 */
export function sameMediaType(a: MediaType, b: MediaType): boolean {
  return nameOf(a) === nameOf(b)
}

function nameOf({ type, parameters }: MediaType): string {
  const named = parameters.map(
    ({ parameterName, parameterValue }) =>
      `${toHex(lowerCase(parameterName))}=${toHex(parameterValue)}`,
  )
  return [toHex(lowerCase(type)), ...named.sort()].join(';')
}

/** Of ASCII letters, which are all that such names have. */
function lowerCase(bytes: Bytes): Bytes {
  return bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte))
}

function emptyList(): MlsError {
  return new MlsError('app-data-malformed', 'content_media_types has at least one item')
}
