import { ConclaveError } from '@conclave/core'
import { AccessError } from '@conclave/core/access'
import { CommanderError } from 'commander'
import { ApiClientError } from './cli/apiClient.ts'
import { secretVariables } from './settings.ts'

/** What went wrong and what can be done about it, for whoever started the command. */
export function explain(error: unknown): string {
  if (!(error instanceof ConclaveError)) return String(error)
  const remedy = error.remedy === undefined ? '' : `\n${error.remedy}`
  return `${whereOf(error)}${error.message}${remedy}`
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode
  return error instanceof ApiClientError && error.code !== 'token-missing' ? 2 : 1
}

function whereOf(error: ConclaveError): string {
  const isSecret = error instanceof AccessError && /^access-(keys-required|secret)/.test(error.code)
  if (isSecret) return `${secretVariables.secret}: `
  return error instanceof ApiClientError ? `${error.code}: ` : ''
}
