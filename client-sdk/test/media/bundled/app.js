// A smallest app as an embedder writes it, in JavaScript, with the published package.
import { createWorkerFrameCryptor, mediaPlatform } from '@conclave/client/media'

const clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

const failures = []

function cryptorOf(ownLeaf) {
  const cryptor = createWorkerFrameCryptor({
    clock,
    onFailure: ({ code }) => failures.push(code),
  })
  cryptor.installEpoch({
    epoch: 1n,
    baseKey: new Uint8Array(16).fill(7),
    ownLeaf,
    leaves: [0, 1],
    removedLeaves: [],
    incarnation: 0,
  })
  return cryptor
}

const [sending, receiving] = [0, 1].map(
  () => new RTCPeerConnection(mediaPlatform().connectionSettings),
)
sending.onicecandidate = ({ candidate }) => receiving.addIceCandidate(candidate)
receiving.onicecandidate = ({ candidate }) => sending.addIceCandidate(candidate)

const [sender, receiver] = [cryptorOf(0), cryptorOf(1)]
receiving.ontrack = (event) => {
  const video = document.createElement('video')
  video.muted = true
  video.autoplay = true
  video.srcObject = new MediaStream([event.track])
  document.body.append(video)
  void receiver.unprotect(event.receiver, { leaf: 0, source: 'camera' })
}

const media = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 180 } })
const [track] = media.getVideoTracks()
const transceiver = sending.addTransceiver(track, { direction: 'sendonly' })
const protecting = sender.protect(transceiver.sender, { source: 'camera' })
await sending.setLocalDescription()
await receiving.setRemoteDescription(sending.localDescription)
await receiving.setLocalDescription()
await sending.setRemoteDescription(receiving.localDescription)
await protecting

globalThis.report = async () => {
  const { receivers } = await receiver.stats()
  const inbound = [...(await receiving.getStats()).values()].find(
    ({ type }) => type === 'inbound-rtp',
  )
  const opened = receivers[0]?.opened ?? 0
  return { opened, decoded: inbound?.framesDecoded ?? 0, failures }
}
