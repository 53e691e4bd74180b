import { Command, CommanderError } from 'commander'
import { deadLettersCommand, meetingsCommand, type Terminal } from './cli/apiCommands.ts'
import { tokenCommand } from './cli/tokenCommand.ts'
import { addSettings, type Configuration, configurationOf, redacted } from './configuration.ts'
import { exitCodeOf, explain } from './failure.ts'
import { firstGroup, secretVariables } from './settings.ts'

export interface ProgramOptions extends Terminal {
  /** Writes to standard error. */
  readonly complain: (text: string) => void
  /** Runs a keyserver until it has been asked to stop. */
  readonly serve: (configuration: Configuration) => Promise<void>
  readonly version: string
}

/**
 * The command `conclave-keyserver`. Without a subcommand it serves.
 * @returns the exit code: 0, 1 for wrong usage or configuration and a failure to start, 2 where a
 *   keyserver refused what a command asked of it, or could not be reached
 */
export async function runProgram(
  args: readonly string[],
  options: ProgramOptions,
): Promise<number> {
  try {
    await program(options).parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (!(error instanceof CommanderError)) options.complain(`${explain(error)}\n`)
    return exitCodeOf(error)
  }
}

function program(options: ProgramOptions): Command {
  const { environment, print, complain, version } = options
  const serve = addSettings(new Command('serve'))
    .description('run a keyserver; what a bare conclave-keyserver does')
    .action(async ({ check }: { check?: boolean }, command: Command) => {
      const configuration = configurationOf(command, environment)
      if (check === true) print(JSON.stringify(redacted(configuration), null, 2))
      else await options.serve(configuration)
    })
  const root = new Command('conclave-keyserver')
    .description('Orders the handshake messages of end-to-end encrypted meetings; holds no key.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: complain })
    .addCommand(serve, { isDefault: true })
    .addCommand(meetingsCommand(options))
    .addCommand(deadLettersCommand(options))
    .addCommand(tokenCommand(options))
  root.addHelpText(
    'after',
    () => `\nOptions of serve, each with its [VARIABLE]:\n\n${optionsOf(serve)}\n${secretsHelp}`,
  )
  serve.addHelpText('after', `\n${secretsHelp}`)
  inherit(root)
  return root
}

/** Subcommands that are added ready-made do not take these over from the root. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command).allowExcessArguments(false)
    inherit(child)
  }
}

/** Its options, without what the root's help has said already. */
function optionsOf(serve: Command): string {
  const help = serve.createHelp().formatHelp(serve, serve.createHelp())
  return help.slice(help.indexOf(firstGroup))
}

const secretsHelp = `Secrets come from the environment, or from a file that the variable with _FILE names:
  ${secretVariables.secret.padEnd(25)} what access tokens are signed with, at least 32 bytes
  ${secretVariables.secrets.padEnd(25)} several of these: { "<kid>": "<secret>" }, the first one mints
  ${secretVariables.webhookSecret.padEnd(25)} what webhooks are signed with: whsec_…
  ${secretVariables.redisUrl.padEnd(25)} a Redis URL with a password
Without any key for tokens the keyserver serves this machine alone and mints tokens at
POST /dev/token. Commands that ask a running keyserver need CONCLAVE_API_TOKEN, a token that
grants manage.`
