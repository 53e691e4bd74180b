import { describe, expect, it } from 'vitest'
import { readConfiguration } from '../src/configuration.ts'
import { MeetingServerError } from '../src/meetingServerError.ts'

function refusal(args: string[], environment: Record<string, string> = {}): MeetingServerError {
  try {
    readConfiguration(args, environment)
  } catch (error) {
    if (error instanceof MeetingServerError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the configuration of the meeting server', () => {
  it('is for this machine alone where nothing is said', () => {
    expect(readConfiguration([], {})).toEqual({
      host: '127.0.0.1',
      port: 3000,
      mediaAddress: undefined,
      mediaPorts: { min: 40_000, max: 49_999 },
      accessSecret: undefined,
      json: false,
      logLevel: 'warn',
    })
  })

  it('takes flags before variables, and the secret from a variable alone', () => {
    const environment = {
      CONCLAVE_MEETING_HOST: '0.0.0.0',
      CONCLAVE_MEETING_PORT: '4000',
      CONCLAVE_MEETING_MEDIA_ADDRESS: '192.0.2.7',
      CONCLAVE_MEETING_MEDIA_PORTS: '41000-41010',
      CONCLAVE_MEETING_JSON: '1',
      CONCLAVE_ACCESS_SECRET: 'a secret',
    }
    expect(readConfiguration(['--port', '0', '--log-level', 'silent'], environment)).toEqual({
      host: '0.0.0.0',
      port: 0,
      mediaAddress: '192.0.2.7',
      mediaPorts: { min: 41_000, max: 41_010 },
      accessSecret: 'a secret',
      json: true,
      logLevel: 'silent',
    })
  })

  it.each([
    [['--port', '65536'], '--port'],
    [['--port', 'http'], '--port'],
    [['--port', '-1'], '--port'],
    [['--host', 'no host'], '--host'],
    [['--media-ports', '50000-40000'], '--media-ports'],
    [['--media-ports', '0-10'], '--media-ports'],
    [['--log-level', 'loud'], '--log-level'],
    [['--secret', 'x'], '--secret'],
  ])('refuses %j and names the flag', (args, flag) => {
    const { code, message, remedy } = refusal(args)
    expect(code).toBe('configuration-invalid')
    expect(message).toContain(flag)
    expect(remedy).toContain('--help')
  })

  it.each([
    ['CONCLAVE_MEETING_PORT', '3000a'],
    ['CONCLAVE_MEETING_LOG_LEVEL', 'loud'],
    ['CONCLAVE_MEETING_JSON', 'yes'],
  ])('refuses %s=%s and names the variable', (variable, value) => {
    const { code, message } = refusal([], { [variable]: value })
    expect(code).toBe('configuration-invalid')
    expect(message).toContain(variable)
  })
})
