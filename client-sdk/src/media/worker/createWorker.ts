/** The thread that all transforms run in. */
export type MediaWorker = Worker

/**
 * Starts the one worker that all transforms run in. Bundlers know this form, both from TypeScript
 * sources and from the published JavaScript, and emit the worker as a file of its own.
 */
export function createMediaWorker(): MediaWorker {
  return new Worker(new URL('./entry.js', import.meta.url), { type: 'module' })
}
