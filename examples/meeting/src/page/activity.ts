import { Store } from './store.ts'

export interface ActivityEntry {
  readonly number: number
  readonly at: Date
  readonly text: string
}

const kept = 50

/** What has happened in the meeting, newest first. */
export class Activity {
  readonly entries = new Store<readonly ActivityEntry[]>([])
  #count = 0

  add(text: string): void {
    const entry = { number: ++this.#count, at: new Date(), text }
    this.entries.set([entry, ...this.entries.value].slice(0, kept))
  }
}
