import { answerParent } from '../../servers/child.ts'

export type Questions = typeof questions

const awaited = Promise.withResolvers<string>()
const questions = {
  /** Only once something else has been asked. */
  late: () => awaited.promise,
  early: (word: string) => {
    awaited.resolve(`after ${word}`)
    return word
  },
  processId: () => process.pid,
}
answerParent(questions)
