import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { SetupError } from './setupError.mjs'

/**
 * Child processes that do not outlive this one's signals: what asks this process to stop is passed
 * on to them, and this process ends when they have.
 */

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null, timedOut: boolean, interrupted: NodeJS.Signals | undefined }} Ended */

const stopSignals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])

// npm passes on the Ctrl-C that the terminal has sent to everyone, so one key press arrives twice.
const repeatedSignalMs = 500

/**
 * Runs a command to its end.
 *
 * With `ownGroup` it leads a process group of its own: signals then reach it once, through us, and
 * stopping it stops what it has started; its standard input ends when we do. `onLine` receives its output line by line instead of the
 * terminal. A second stop signal, or `timeoutMs`, kills it.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, ownGroup?: boolean, timeoutMs?: number,
 *   onLine?: (line: string) => void }} [options]
 * @returns {Promise<Ended>}
 * @throws SetupError `command-not-started`
 */
export function run(command, args, { cwd, env, ownGroup = false, timeoutMs, onLine } = {}) {
  return new Promise((resolve, reject) => {
    const output = onLine === undefined ? 'inherit' : 'pipe'
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: env ?? process.env,
      detached: ownGroup,
      stdio: [ownGroup ? 'pipe' : 'ignore', output, output],
    })
    /** @type {NodeJS.Signals | undefined} */
    let interrupted
    let interruptedAt = 0
    let timedOut = false

    /** @param {NodeJS.Signals} signal */
    const send = (signal) => {
      if (child.pid === undefined) return
      try {
        process.kill(ownGroup ? -child.pid : child.pid, signal)
      } catch (error) {
        // It ended on its own in the meantime.
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
      }
    }
    /** @param {NodeJS.Signals} signal */
    const onSignal = (signal) => {
      const now = Date.now()
      if (interrupted === undefined) {
        interrupted = signal
        interruptedAt = now
        send(signal)
      } else if (now - interruptedAt > repeatedSignalMs) {
        send('SIGKILL')
      }
    }
    for (const signal of stopSignals) process.on(signal, onSignal)
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true
            send('SIGKILL')
          }, timeoutMs)
    const settle = () => {
      clearTimeout(timer)
      for (const signal of stopSignals) process.off(signal, onSignal)
    }

    if (onLine !== undefined) {
      for (const stream of [child.stdout, child.stderr]) {
        let rest = ''
        stream?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
          const lines = (rest + text).split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) onLine(line)
        })
        stream?.on('end', () => {
          if (rest !== '') onLine(rest)
        })
      }
    }
    child.on('error', (cause) => {
      settle()
      reject(
        new SetupError('command-not-started', `${command} cannot be started: ${cause.message}`, {
          cause,
        }),
      )
    })
    child.on('close', (code, signal) => {
      settle()
      resolve({ code, signal, timedOut, interrupted })
    })
  })
}

/**
 * Runs a command that must succeed.
 *
 * @param {string} what for people, such as `npm ci`
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2] & { remedy?: string }} [options]
 * @throws SetupError `command-failed`, `interrupted`, `command-not-started`
 */
export async function runOrThrow(what, command, args, { remedy, ...options } = {}) {
  const ended = await run(command, args, options)
  throwIfInterrupted(ended)
  if (ended.code === 0) return
  const how = ended.signal === null ? `exit code ${ended.code}` : ended.signal
  throw new SetupError(
    'command-failed',
    `${what} failed (${how})`,
    remedy === undefined ? {} : { remedy },
  )
}

/** @param {Ended} ended */
export function throwIfInterrupted({ interrupted }) {
  if (interrupted === undefined) return
  throw new SetupError('interrupted', `stopped by ${interrupted}`, {
    exitCode: 128 + constants.signals[interrupted],
  })
}
