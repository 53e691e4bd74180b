import { Command, InvalidArgumentError, Option } from 'commander'
import type { Environment } from '../configuration.ts'
import { ApiClient, ApiClientError } from './apiClient.ts'
import { printable, table } from './table.ts'

export const apiTokenVariable = 'CONCLAVE_API_TOKEN'
export const apiUrlVariable = 'CONCLAVE_API_URL'

/** What a command reads and writes. */
export interface Terminal {
  readonly environment: Environment
  /** Writes a line to standard output. */
  readonly print: (text: string) => void
}

interface ApiOptions {
  readonly url?: string
  readonly json?: boolean
}

/** `meetings list|show|log|end|remove` */
export function meetingsCommand(terminal: Terminal): Command {
  const meetings = new Command('meetings').description('look at meetings and end them')
  apiCommand(meetings, 'list')
    .description('ids of the meetings that have a group')
    .action(async (options: ApiOptions) => {
      const ids = await clientOf(options, terminal).meetingIds()
      show(terminal, options, ids, () => ids.map(printable).join('\n'))
    })
  apiCommand(meetings, 'show')
    .argument('<meeting>', 'its id')
    .description('epoch and roster of a meeting, as its public group shows them')
    .action(async (id: string, options: ApiOptions) => {
      const meeting = await clientOf(options, terminal).meeting(id)
      show(terminal, options, meeting, () => {
        const { meetingId, groupId, epoch, head, waiting, expiresAt, roster } = meeting
        const about = table(
          ['meeting', 'group', 'epoch', 'head', 'waiting', 'ends'],
          [[meetingId, groupId, epoch, head, waiting, timeOf(expiresAt)]],
        )
        const members = roster.map(({ leaf, identity, deviceKey, connected, beingRemoved }) => [
          leaf,
          identity,
          deviceKey.slice(0, 16),
          connected ? 'connected' : 'away',
          beingRemoved ? 'being removed' : '',
        ])
        return `${about}\n\n${table(['leaf', 'identity', 'device', 'presence', ''], members)}`
      })
    })
  apiCommand(meetings, 'log')
    .argument('<meeting>', 'its id')
    .addOption(
      new Option('--after <seq>', 'entries after this sequence number')
        .argParser(wholeNumber)
        .default(0),
    )
    .description('the public log of a meeting')
    .action(async (id: string, options: ApiOptions & { readonly after: number }) => {
      const lines = await clientOf(options, terminal).log(id, options.after)
      show(terminal, options, lines, () =>
        table(
          ['seq', 'time', 'epoch', 'kind', 'sender', 'bytes', 'contents'],
          lines.map(({ seq, at, epoch, kind, sender, bytes, contents }) => [
            seq,
            timeOf(at),
            epoch,
            kind,
            sender,
            bytes,
            contents.join(', '),
          ]),
        ),
      )
    })
  apiCommand(meetings, 'end')
    .argument('<meeting>', 'its id')
    .description('end a meeting and delete all that is stored for it')
    .action(async (id: string, options: ApiOptions) => {
      await clientOf(options, terminal).end(id)
      show(terminal, options, { ended: id }, () => `ended ${printable(id)}`)
    })
  apiCommand(meetings, 'remove')
    .argument('<meeting>', 'its id')
    .addOption(new Option('--leaf <index>', 'the member at this leaf').argParser(wholeNumber))
    .addOption(
      new Option('--identity <identity>', 'all members of this identity').conflicts('leaf'),
    )
    .description('have the keyserver propose removals, until members have committed them')
    .action(
      async (
        id: string,
        options: ApiOptions & { readonly leaf?: number; readonly identity?: string },
        command: Command,
      ) => {
        const { leaf, identity } = options
        if (leaf === undefined && identity === undefined) {
          command.error('error: give --leaf or --identity')
        }
        const who = leaf === undefined ? { identity: identity ?? '' } : { leaf }
        const leaves = await clientOf(options, terminal).remove(id, who)
        show(terminal, options, { leaves }, () => `to be removed: leaf ${leaves.join(', ')}`)
      },
    )
  return meetings
}

/** `dead-letters list|retry` */
export function deadLettersCommand(terminal: Terminal): Command {
  const letters = new Command('dead-letters').description('webhooks that were not delivered')
  apiCommand(letters, 'list')
    .description('newest first')
    .action(async (options: ApiOptions) => {
      const found = await clientOf(options, terminal).deadLetters()
      show(terminal, options, found, () =>
        table(
          ['id', 'event', 'meeting', 'given up', 'attempts', 'reason'],
          found.map(({ event, attempts, failedAt, reason }) => [
            event.id,
            event.type,
            event.meetingId,
            timeOf(failedAt),
            attempts,
            reason,
          ]),
        ),
      )
    })
  apiCommand(letters, 'retry')
    .argument('<id>', 'as listed')
    .description('deliver one again')
    .action(async (id: string, options: ApiOptions) => {
      await clientOf(options, terminal).retry(id)
      show(terminal, options, { retried: id }, () => `tried again: ${printable(id)}`)
    })
  return letters
}

function apiCommand(parent: Command, name: string): Command {
  return parent
    .command(name)
    .option('--url <url>', `the keyserver [${apiUrlVariable}, http://127.0.0.1:4444]`)
    .option('--json', 'print JSON')
}

function clientOf({ url }: ApiOptions, { environment }: Terminal): ApiClient {
  const token = environment[apiTokenVariable]
  if (token === undefined || token === '') {
    throw new ApiClientError('token-missing', `${apiTokenVariable} is not set`, {
      remedy:
        'Set it to an access token that grants manage, from: ' +
        "conclave-keyserver token --identity operator --meeting '*' --grants manage",
    })
  }
  return new ApiClient(url ?? (environment[apiUrlVariable] || 'http://127.0.0.1:4444'), token)
}

function show(terminal: Terminal, { json }: ApiOptions, value: unknown, text: () => string): void {
  terminal.print(json === true ? JSON.stringify(value) : text())
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError('a whole number')
}
