import type { MediaDegradation, MediaSource, MediaTrack, ReceptionState } from '@conclave/client'
import type { RemoteSources } from './remoteMedia.ts'
import { Store } from './store.ts'

/** What one participant's sources come to here, where they cannot be seen or heard. */
export type Troubles = Readonly<Partial<Record<MediaSource, ReceptionState>>>

/** Whose media does not arrive as it should, by leaf. */
export class MediaTrouble {
  readonly byLeaf = new Store<ReadonlyMap<number, Troubles>>(new Map())

  degraded({ leaf, source, state }: MediaDegradation): void {
    this.#put(leaf, { ...this.byLeaf.value.get(leaf), [source]: state })
  }

  /** The track is received as it should be, or not at all any more. */
  over({ leaf, source }: Pick<MediaTrack, 'leaf' | 'source'>): void {
    const { [source]: ended, ...others } = this.byLeaf.value.get(leaf) ?? {}
    if (ended !== undefined) this.#put(leaf, others)
  }

  /** Of whoever has left nothing is expected any more. */
  forget(leaf: number): void {
    this.#put(leaf, {})
  }

  /** All have other leaves. */
  clear(): void {
    this.byLeaf.set(new Map())
  }

  #put(leaf: number, troubles: Troubles): void {
    const all = new Map(this.byLeaf.value)
    if (Object.keys(troubles).length === 0) all.delete(leaf)
    else all.set(leaf, troubles)
    this.byLeaf.set(all)
  }
}

/** What of it matters now: whoever has paused a source sends nothing of it. */
export function withoutPaused(troubles: Troubles, { camera, microphone }: RemoteSources): Troubles {
  const { camera: ofCamera, microphone: ofMicrophone, ...others } = troubles
  return {
    ...(ofCamera !== undefined && camera?.paused !== true && { camera: ofCamera }),
    ...(ofMicrophone !== undefined && microphone?.paused !== true && { microphone: ofMicrophone }),
    ...others,
  }
}

/** For each state that is trouble, which sources are in it, what it means and what to do about it. */
export function describeTroubles(troubles: Troubles): readonly string[] {
  const sources = Object.entries(troubles) as [MediaSource, ReceptionState][]
  const texts: string[] = []
  for (const [state, those] of Map.groupBy(sources, ([, state]) => state)) {
    const names = those.map(([source]) => namesOfSources[source]).join(' and ')
    const explanation = explanations[state]
    if (explanation !== undefined) texts.push(`${capitalised(names)}: ${explanation}`)
  }
  return texts
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const namesOfSources: Readonly<Record<MediaSource, string>> = {
  microphone: 'microphone',
  camera: 'camera',
  screen: 'screen',
  'screen-audio': 'sound of the screen',
}

const explanations: Readonly<Record<ReceptionState, string | undefined>> = {
  decoding: undefined,
  paused: undefined,
  'no-frames': 'nothing has come yet. Ask whether they are sending.',
  'waiting-for-key': 'the key is not here yet. Wait; if it lasts, check your connection.',
  'wrong-key': 'encrypted with another key. Compare safety codes, then join again.',
  tampered: 'changed on the way. Do not rely on it; try another network.',
  replayed: 'something old comes again. Do not rely on it; try another network.',
  foreign: 'what comes is not theirs. Ask them to join again.',
  'waiting-for-key-frame': 'a picture was lost. Wait for the next whole one.',
  stalled: 'nothing comes any more. Check your connection, then theirs.',
}
