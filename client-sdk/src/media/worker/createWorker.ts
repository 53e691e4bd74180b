/** The thread that all transforms run in. */
export type MediaWorker = Worker

/** Whether there are workers here, and WebCrypto in them: outside secure contexts there is none. */
export function canRunMediaWorker(): boolean {
  return typeof Worker !== 'undefined' && globalThis.crypto?.subtle !== undefined
}

/**
 * Starts the one worker that all transforms run in. Bundlers know this form, both from TypeScript
 * sources and from the published JavaScript, and emit the worker as a file of its own. One that
 * does not, as esbuild, takes `@conclave/client/media/worker` as an entry point named `mediaWorker`.
 */
export function createMediaWorker(): MediaWorker {
  return new Worker(new URL('./mediaWorker.js', import.meta.url), { type: 'module' })
}
