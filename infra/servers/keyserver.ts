import { Child } from './child.ts'
import type { KeyserverProcess, KeyserverQuestions } from './keyserverProcess.ts'

const program = new URL('./keyserverProcess.ts', import.meta.url)

/**
 * A keyserver in a process of its own.
 * @throws BenchError `bench-server-failed`
 */
export function startKeyserver(wanted: KeyserverProcess): Promise<Child<KeyserverQuestions>> {
  return Child.start<KeyserverQuestions>(program, wanted)
}
