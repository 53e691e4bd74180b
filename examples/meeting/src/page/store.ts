import { useEffect, useState } from 'preact/hooks'

/** A value that the page shows and that changes on its own. */
export class Store<T> {
  #value: T
  readonly #listeners = new Set<(value: T) => void>()

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  set(value: T): void {
    if (value === this.#value) return
    this.#value = value
    for (const listener of [...this.#listeners]) listener(value)
  }

  /** @returns what ends it */
  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** The value of a store, for a component that is drawn anew whenever it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, redraw] = useState({})
  useEffect(() => {
    const drawn = store.value
    const end = store.subscribe(() => redraw({}))
    if (store.value !== drawn) redraw({})
    return end
  }, [store])
  return store.value
}
