import type { Bytes } from '../../codec/bytes.ts'
import { decode } from '../../codec/tls.ts'
import { MlsMessage } from '../../wire/framing.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import { WireFormat } from '../../wire/registry.ts'
import type { GroupInfo, Welcome } from '../../wire/welcome.ts'
import { MlsError } from '../mlsError.ts'

/**
 * The Welcome in an MLSMessage.
 * @throws CodecError, or MlsError `message-wire-format-unexpected`
 */
export function readWelcome(message: Bytes): Welcome {
  const read = decode(MlsMessage, message)
  if (read.wireFormat !== WireFormat.welcome) throw unexpected('a Welcome')
  return read.welcome
}

/**
 * The GroupInfo in an MLSMessage.
 * @throws CodecError, or MlsError `message-wire-format-unexpected`
 */
export function readGroupInfo(message: Bytes): GroupInfo {
  const read = decode(MlsMessage, message)
  if (read.wireFormat !== WireFormat.groupInfo) throw unexpected('a GroupInfo')
  return read.groupInfo
}

/**
 * The KeyPackage in an MLSMessage.
 * @throws CodecError, or MlsError `message-wire-format-unexpected`
 */
export function readKeyPackage(message: Bytes): KeyPackage {
  const read = decode(MlsMessage, message)
  if (read.wireFormat !== WireFormat.keyPackage) throw unexpected('a KeyPackage')
  return read.keyPackage
}

function unexpected(what: string): MlsError {
  return new MlsError('message-wire-format-unexpected', `the message is not ${what}`)
}
