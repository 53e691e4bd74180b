export type { MeetingTrust } from '@conclave/core/meeting'
export {
  type Call,
  CallError,
  type CallErrorCode,
  type CallEvents,
  type Publication,
  type PublishOptions,
  type RemoteTrack,
} from './call/index.ts'
export {
  formatDiagnostics,
  type MeetingDiagnostics,
  type ReceiverDiagnostics,
  type SenderDiagnostics,
} from './diagnostics.ts'
export {
  DeviceDirectory,
  type DeviceDirectoryEvents,
  type DeviceDirectoryOptions,
} from './directory/deviceDirectory.ts'
export { Invitation, type WaitingWelcome } from './directory/invitation.ts'
export type { TakenKeyPackage } from './directory/keyPackageShelf.ts'
export { type IndexedDbStoreOptions, indexedDbStore } from './edge/indexedDbStore.ts'
export { systemClock, systemRandom } from './edge/platform.ts'
export type { TokenSource } from './edge/serverConnection.ts'
export type { JoinOptions } from './joinOptions.ts'
export {
  type AuthenticityStats,
  type FrameCryptor,
  type FrameCryptorHost,
  type ListSignatures,
  MediaError,
  type MediaErrorCode,
  type MediaSource,
  type MediaVerdict,
  type ReceptionState,
} from './media/index.ts'
export type { ConnectMediaOptions } from './meetingCalls.ts'
export type {
  ChatMessage,
  ChatReaction,
  EpochView,
  MediaAuthenticity,
  MediaDegradation,
  MediaTrack,
  MeetingEvents,
  RoomInvitation,
} from './meetingEvents.ts'
export type { KnownRoom } from './rooms/knownRooms.ts'
export { type ReinitialiseOptions, SecureMeeting } from './secureMeeting.ts'
export type { ChatCounts } from './session/chat.ts'
export type { JoinProgress } from './session/entrance.ts'
export { describeHistory, type HistoryEntry, type HistoryEvent } from './session/history.ts'
export type { MeetingIdentity } from './session/identity.ts'
export type { InvitedDevice } from './session/inviting.ts'
export { MembersUnreadyError, type UnreadyMember } from './session/reinitialising.ts'
export type { Device, NamedDevice, Participant, Standing } from './session/roster.ts'
export type { Arrival, Departure } from './session/rosterChange.ts'
export type { SafetyCode, SafetyCodeComparison } from './session/safetyCode.ts'
export { SessionError, type SessionErrorCode } from './session/sessionError.ts'
export type { EndReason } from './session/sessionEvents.ts'
export { memorySessionStore, type SessionStore } from './session/store.ts'
export type { DeliveryTransport, TransportEvents } from './session/transport.ts'
