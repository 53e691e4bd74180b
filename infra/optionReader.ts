import { type ParseArgsConfig, parseArgs } from 'node:util'

/** How a command reads its options. */
export interface OptionReader {
  /** As parseArgs has it. */
  parsed<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>>
  wholeNumber(option: string, text: string, least: number, most: number): number
}

/** @param wrong makes the error that both of them throw where the command line is not as it should be */
export function optionReader(wrong: (message: string) => Error): OptionReader {
  return {
    parsed: (config) => {
      try {
        return parseArgs(config)
      } catch (error) {
        throw wrong(error instanceof Error ? error.message : String(error))
      }
    },
    wholeNumber: (option, text, least, most) => {
      const number = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN
      if (number >= least && number <= most) return number
      throw wrong(`${option} takes numbers from ${least} to ${most}, not '${text}'`)
    },
  }
}
