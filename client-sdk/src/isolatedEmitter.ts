import { EventEmitter } from 'eventemitter3'

// A method's parameters are compared both ways, so listeners of any parameters fit.
type Listener = { call(...args: unknown[]): void }['call']

/**
 * An object's listeners. One that throws stops neither the object nor the other listeners.
 */
export class IsolatedEmitter<Events extends { readonly [Name in keyof Events]: Listener }> {
  readonly #emitter = new EventEmitter()

  on<Name extends keyof Events & string>(name: Name, listener: Events[Name]): void {
    this.#emitter.on(name, listener)
  }

  off<Name extends keyof Events & string>(name: Name, listener: Events[Name]): void {
    this.#emitter.off(name, listener)
  }

  emit<Name extends keyof Events & string>(name: Name, ...args: Parameters<Events[Name]>): void {
    for (const listener of this.#emitter.listeners(name)) isolated(() => listener(...args))
  }
}

/** Calls the application. If it throws, that is its bug: it is reported as an uncaught error. */
export function isolated(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
