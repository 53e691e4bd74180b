import type { ChildProcess, Serializable } from 'node:child_process'

/** What a process answers over its IPC channel; undefined once it has ended instead. */
export async function answerOf(child: ChildProcess, question: Serializable): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const ended = () => resolve(undefined)
  child.once('message', resolve).once('exit', ended)
  // One that is just ending breaks the channel before it is seen to end.
  child.send(question, () => {
    if (child.exitCode !== null || child.signalCode !== null) ended()
  })
  try {
    return await promise
  } finally {
    child.off('message', resolve).off('exit', ended)
  }
}
