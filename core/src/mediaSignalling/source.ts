/** What a track shows; a participant sends at most one track of each source at a time. */
export const mediaSources = ['microphone', 'camera', 'screen', 'screen-audio'] as const

export type MediaSource = (typeof mediaSources)[number]

export function mediaKindOf(source: MediaSource): 'audio' | 'video' {
  return source === 'microphone' || source === 'screen-audio' ? 'audio' : 'video'
}
