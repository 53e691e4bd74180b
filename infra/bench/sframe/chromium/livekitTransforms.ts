// Takes the worker's `onmessage`, and `onrtctransform` where there are script transforms.
import 'livekit-client/e2ee-worker'
import { BenchError, expectDone } from '../../benchError.ts'
import type { Transforms } from './roundTrip.ts'
import { TransformedTrack } from './transformedTrack.ts'

/** What livekit-client's worker uses of its scope. */
interface LivekitScope {
  onmessage: ((event: { readonly data: LivekitMessage }) => void) | null
  onrtctransform: ((event: { readonly transformer: object }) => void) | null
  postMessage(message: object): void
}

interface LivekitMessage {
  readonly kind: string
  readonly data?: object
}

const scope = globalThis as unknown as LivekitScope
const { onmessage: handle, onrtctransform: attach } = scope

// Our page knows nothing of what it posts.
const post = scope.postMessage.bind(scope)
let takeAnswer: (answer: LivekitMessage) => void = () => {}
scope.postMessage = (message) => {
  if (isLivekits(message)) takeAnswer(message)
  else post(message)
}

function isLivekits(message: object): message is LivekitMessage {
  return 'kind' in message
}

const participantIdentity = 'sender'

/**
 * Both directions of livekit-client's transform, under one key. Its worker is driven as its page
 * drives it: by messages and by the event of a script transform.
 *
 * @throws BenchError `bench-work-not-done`
 */
export async function livekitTransforms(): Promise<Transforms> {
  const secret = new Uint8Array(32).fill(6)
  const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, [
    'deriveBits',
    'deriveKey',
  ])
  const keyProviderOptions = {
    sharedKey: false,
    ratchetSalt: 'LKFrameEncryptionKey',
    ratchetWindowSize: 8,
    failureTolerance: 10,
    keyringSize: 16,
    keySize: 128,
  }
  tell({ kind: 'init', data: { keyProviderOptions, loglevel: 'silent' } })
  const ofSender = { participantIdentity, isPublisher: true }
  tell({ kind: 'setKey', data: { ...ofSender, key, keyIndex: 0, updateCurrentKeyIndex: true } })
  // Messages are worked through in order: when the last is confirmed, all have been.
  await confirmed({ kind: 'enable', data: { participantIdentity, enabled: true } })
  return { send: attached('encode'), receive: attached('decode') }
}

function attached(kind: 'encode' | 'decode'): TransformedTrack {
  const track = new TransformedTrack()
  const { readable, writable } = track
  const options = { kind, participantIdentity, trackId: kind, hasPacketTrailer: false }
  expectDone(attach !== null, 'livekit-client takes no script transforms here')
  attach?.({ transformer: { readable, writable, options } })
  return track
}

function tell(message: LivekitMessage): void {
  handle?.({ data: message })
}

async function confirmed(message: LivekitMessage): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    takeAnswer = ({ kind }) => {
      if (kind === message.kind) resolve()
      if (kind === 'error') reject(new BenchError('bench-work-not-done', 'livekit-client failed'))
    }
    tell(message)
  })
}
