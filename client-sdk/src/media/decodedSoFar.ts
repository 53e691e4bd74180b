/**
 * How many pictures, or samples of sound that were not made up, the browser has decoded of what a
 * receiver got; `undefined` where it does not tell.
 */
export async function decodedSoFar(
  receiver: Pick<RTCRtpReceiver, 'getStats'>,
): Promise<number | undefined> {
  for (const stats of await reportOf(receiver)) {
    if (stats.type !== 'inbound-rtp') continue
    if (stats.kind === 'video') return numberOf(stats.framesDecoded)
    const [received, concealed] = [stats.totalSamplesReceived, stats.concealedSamples].map(numberOf)
    return received === undefined ? undefined : Math.max(0, received - (concealed ?? 0))
  }
  return undefined
}

async function reportOf(receiver: Pick<RTCRtpReceiver, 'getStats'>) {
  try {
    return (await receiver.getStats()).values()
  } catch {
    return []
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
