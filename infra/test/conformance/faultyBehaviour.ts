import { type Bytes, emptyBytes, plainBytes, toHex } from '@conclave/core/codec'
import { packEntries, packJoiners, unpackEntries, unpackJoiners } from '@conclave/core/delivery'
import type { Fault, Fields } from './relay.ts'

const bytesOf = (value: unknown): Bytes => plainBytes(value as Uint8Array)
const entriesOf = (value: unknown) => unpackEntries(bytesOf(value))

/** Says yes to what the keyserver has refused. */
export function accepting(
  name: string,
  refused: (reply: Fields, request: Fields) => boolean,
  instead: Fields,
): Fault {
  return {
    answer: async (asked, forward) => {
      const reply = await forward()
      const lie = asked.name === name && reply['ok'] === false && refused(reply, asked.request)
      return lie ? { ok: true, ...instead } : reply
    },
  }
}

export const withCode = (code: string) => (reply: Fields) => reply['code'] === code
export const withDetail = (detail: string) => (reply: Fields) => reply['detail'] === detail
export const lostBy = (fits: (entries: number) => boolean) => (reply: Fields) =>
  reply['code'] === 'epoch-mismatch' && fits(entriesOf(reply['missed']).length)

export const appended = { seq: 1, durable: false }

/** Answers the second of two equal requests as if it had never seen the first. */
export function forgetting(name: string, field: string, answer: Fields): Fault {
  const seen = new Set<string>()
  return {
    answer: async (asked, forward) => {
      if (asked.name !== name) return await forward()
      const message = toHex(bytesOf(asked.request[field]))
      if (seen.has(message)) return answer
      seen.add(message)
      return await forward()
    },
  }
}

/** Changes replies of one kind. */
export function replying(name: string, change: (reply: Fields, request: Fields) => Fields): Fault {
  return {
    answer: async (asked, forward) => {
      const reply = await forward()
      return asked.name === name ? change(reply, asked.request) : reply
    },
  }
}

/** Changes notices of one kind, or leaves them out. */
export function telling(kind: string, change: (notice: Fields) => Fields | undefined): Fault {
  return {
    notice: ({ name, notice }) => {
      const told = name === kind ? change(notice) : notice
      return told === undefined ? [] : [{ name, notice: told }]
    },
  }
}

export function withoutKeyPackages(notice: Fields): Fields {
  const joiners = unpackJoiners(bytesOf(notice['joiners']))
  return {
    ...notice,
    joiners: packJoiners(joiners.map(({ ref }) => ({ ref, keyPackage: emptyBytes }))),
  }
}

export const seqOf = (notice: Fields) => (notice['entry'] as { seq: number }).seq
export const skipping = (seq: number) => (seq > 2 ? seq + 1 : seq)

export function repacked(
  reply: Fields,
  change: (entries: ReturnType<typeof entriesOf>) => ReturnType<typeof entriesOf>,
): Fields {
  if (reply['entries'] === undefined) return reply
  return { ...reply, entries: packEntries(change(entriesOf(reply['entries']))) }
}

export function leakingEntries(): Fault {
  return {
    answer: async ({ name, request, line }, forward) => {
      if (name === 'enter') line.memory.set('meeting', request['meetingId'])
      return await forward()
    },
    notice: ({ name, notice, line }) => {
      if (name !== 'entry') return [{ name, notice }]
      for (const other of line.others()) {
        const elsewhere = other.memory.get('meeting') !== line.memory.get('meeting')
        if (elsewhere) other.client.emit(name, notice)
      }
      return [{ name, notice }]
    },
  }
}

export function wholeWelcomes(): Fault {
  let whole: unknown
  return {
    answer: async ({ name, request }, forward) => {
      if (name === 'commit' && request['welcome'] !== null) whole = request['welcome']
      return await forward()
    },
    ...telling('welcome', (notice) => ({ ...notice, welcome: whole })),
  }
}

export function firstWelcome(): Fault {
  let first: Fields | undefined
  return telling('welcome', (notice) => {
    first ??= notice
    return first
  })
}

export function foundingTree(): Fault {
  let founded: unknown
  return {
    answer: async ({ name, request }, forward) => {
      if (name === 'create') founded = request['ratchetTree']
      const reply = await forward()
      return name === 'tree' && reply['ok'] === true ? { ok: true, ratchetTree: founded } : reply
    },
  }
}

/** Refuses a message, and shows it to everybody all the same. */
export function showingTheRefused(): Fault {
  return {
    answer: async ({ name, request, line }, forward) => {
      const reply = await forward()
      const { groupId, message } = request
      if (name === 'commit' && reply['ok'] === false) {
        const notice = { groupId, entry: { seq: 99, message } }
        for (const other of line.others()) other.client.emit('entry', notice)
      }
      return reply
    },
  }
}

export function silentTo(code: string): Fault {
  return {
    answer: async (_, forward) => {
      const reply = await forward()
      return reply['code'] === code ? await new Promise(() => {}) : reply
    },
  }
}

/** Answers with what it has said the first time to the same question. */
export function repeating(name: string, field: string): Fault {
  const answers = new Map<unknown, Promise<Fields>>()
  return {
    answer: async (asked, forward) => {
      if (asked.name !== name) return await forward()
      const question = asked.request[field]
      const answer = answers.get(question) ?? forward()
      answers.set(question, answer)
      return await answer
    },
  }
}

export function foundingGroupInfo(): Fault {
  let founded: unknown
  return {
    answer: async ({ name, request }, forward) => {
      if (name === 'create') founded = request['groupInfo']
      const reply = await forward()
      return name === 'groupInfo' && reply['ok'] === true
        ? { ...reply, groupInfo: founded, seq: 0 }
        : reply
    },
  }
}

/** Looks at a commit only when it has answered the one before. */
export function oneCommitAtATime(): Fault {
  let before: Promise<unknown> = Promise.resolve()
  return {
    answer: async ({ name }, forward) => {
      if (name !== 'commit') return await forward()
      const answer = before.then(() => forward())
      before = answer
      return await answer
    },
  }
}

/** Tells all others what the keyserver has refused to pass on. */
export function passingOnWhatAnybodySends(): Fault {
  return {
    answer: async ({ name, request, line }, forward) => {
      const reply = await forward()
      if (name !== 'send' || reply['code'] !== 'presence-invalid') return reply
      for (const other of line.others()) other.client.emit('message', request)
      return { ok: true }
    },
  }
}
