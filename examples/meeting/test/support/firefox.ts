import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** Fake devices that nobody is asked for, sound without a click, and no pages of the browser's own. */
const preferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
}

/**
 * The system's Firefox with one page, driven over WebDriver BiDi: playwright-core drives none but a
 * Firefox that was built for it.
 */
export class FirefoxPage {
  readonly #browser: ChildProcess
  readonly #profile: string
  #connection: BidiConnection | undefined
  #context = ''

  private constructor(browser: ChildProcess, profile: string) {
    this.#browser = browser
    this.#profile = profile
  }

  static async open(executable: string, url: string): Promise<FirefoxPage> {
    const profile = await mkdtemp(join(tmpdir(), 'conclave-firefox-'))
    const lines = Object.entries(preferences).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
    )
    await writeFile(join(profile, 'user.js'), lines.join(''))
    const browser = spawn(
      executable,
      ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port=0'],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } },
    )
    await once(browser, 'spawn')
    const page = new FirefoxPage(browser, profile)
    try {
      await page.#navigate(url)
    } catch (error) {
      await page.close()
      throw error
    }
    return page
  }

  async #navigate(url: string): Promise<void> {
    const connection = await BidiConnection.open(`${await listeningAt(this.#browser)}/session`)
    this.#connection = connection
    await connection.send('session.new', { capabilities: {} })
    const { contexts } = (await connection.send('browsingContext.getTree', {})) as {
      readonly contexts: readonly { readonly context: string }[]
    }
    this.#context = contexts[0]?.context ?? ''
    const navigation = { context: this.#context, url, wait: 'complete' }
    await connection.send('browsingContext.navigate', navigation)
  }

  /** @param work goes there as text: it sees nothing but the page and what it is given */
  async evaluate<Given, Result>(
    work: (given: Given) => Result,
    given: Given,
  ): Promise<Awaited<Result>> {
    const answer = (await this.#connection?.send('script.callFunction', {
      functionDeclaration: `async (given) => JSON.stringify(await (${work})(JSON.parse(given)))`,
      arguments: [{ type: 'string', value: JSON.stringify(given) }],
      awaitPromise: true,
      target: { context: this.#context },
    })) as {
      readonly result?: { readonly value?: string }
      readonly exceptionDetails?: { readonly text: string }
    }
    if (answer.exceptionDetails !== undefined) throw new Error(answer.exceptionDetails.text)
    return JSON.parse(answer.result?.value ?? 'null') as Awaited<Result>
  }

  async close(): Promise<void> {
    this.#connection?.close()
    if (this.#browser.exitCode === null) {
      this.#browser.kill('SIGKILL')
      await once(this.#browser, 'exit')
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Where the browser says that it listens. */
async function listeningAt({ stderr }: ChildProcess): Promise<string> {
  if (stderr === null) throw new TypeError('the browser has no standard error')
  for await (const line of createInterface(stderr)) {
    const url = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1]
    if (url !== undefined) {
      // What it says from now on is not read, and must not fill the pipe.
      stderr.resume()
      return url
    }
  }
  throw new Error('Firefox ended before it listened')
}

interface Pending {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** Commands of WebDriver BiDi and their answers; events are not asked for. */
class BidiConnection {
  readonly #socket: WebSocket
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#answered(String(data)))
    socket.addEventListener('close', () => this.#ended())
  }

  static async open(url: string): Promise<BidiConnection> {
    const socket = new WebSocket(url)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true })
      socket.addEventListener('error', () => reject(new Error(`no connection to ${url}`)), {
        once: true,
      })
    })
    return new BidiConnection(socket)
  }

  send(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId
    this.#socket.send(JSON.stringify({ id, method, params }))
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  close(): void {
    this.#socket.close()
  }

  #answered(text: string): void {
    const { id, result, error, message } = JSON.parse(text) as {
      readonly id?: number
      readonly result?: unknown
      readonly error?: string
      readonly message?: string
    }
    const pending = this.#pending.get(id ?? 0)
    this.#pending.delete(id ?? 0)
    if (error === undefined) pending?.resolve(result)
    else pending?.reject(new Error(`${error}: ${message}`))
  }

  #ended(): void {
    for (const { reject } of this.#pending.values()) reject(new Error('the browser has gone'))
    this.#pending.clear()
  }
}
