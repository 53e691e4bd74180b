import { type Bytes, plainBytes, toHex } from '@conclave/core/codec'
import { packEntries, packJoiners, unpackEntries } from '@conclave/core/delivery'
import type { Fault, Fields } from './relay.ts'

/** A keyserver that is wrong in one way, and which of the checks that look there must say so. */
export interface PlantedFault {
  readonly name: string
  /** Every run has a fault of its own: some remember. */
  readonly plant: (tokens: { readonly forEveryMeeting: string }) => Fault
  /** The checks that are run, as `--only` names them. */
  readonly looking: readonly string[]
  /** Those of them that fail; the others pass. */
  readonly fail: readonly string[]
}

const bytesOf = (value: unknown): Bytes => plainBytes(value as Uint8Array)
const entriesOf = (value: unknown) => unpackEntries(bytesOf(value))

/** Says yes to what the keyserver has refused. */
function accepting(
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

const withCode = (code: string) => (reply: Fields) => reply['code'] === code
const withDetail = (detail: string) => (reply: Fields) => reply['detail'] === detail
const lostBy = (fits: (entries: number) => boolean) => (reply: Fields) =>
  reply['code'] === 'epoch-mismatch' && fits(entriesOf(reply['missed']).length)

const appended = { seq: 1, durable: false }

/** Answers the second of two equal requests as if it had never seen the first. */
function forgetting(name: string, field: string, answer: Fields): Fault {
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
function replying(name: string, change: (reply: Fields, request: Fields) => Fields): Fault {
  return {
    answer: async (asked, forward) => {
      const reply = await forward()
      return asked.name === name ? change(reply, asked.request) : reply
    },
  }
}

/** Changes notices of one kind, or leaves them out. */
function telling(kind: string, change: (notice: Fields) => Fields | undefined): Fault {
  return {
    notice: ({ name, notice }) => {
      const told = name === kind ? change(notice) : notice
      return told === undefined ? [] : [{ name, notice: told }]
    },
  }
}

const seqOf = (notice: Fields) => (notice['entry'] as { seq: number }).seq
const skipping = (seq: number) => (seq > 2 ? seq + 1 : seq)

function repacked(
  reply: Fields,
  change: (entries: ReturnType<typeof entriesOf>) => ReturnType<typeof entriesOf>,
): Fields {
  if (reply['entries'] === undefined) return reply
  return { ...reply, entries: packEntries(change(entriesOf(reply['entries']))) }
}

function leakingEntries(): Fault {
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

function wholeWelcomes(): Fault {
  let whole: unknown
  return {
    answer: async ({ name, request }, forward) => {
      if (name === 'commit' && request['welcome'] !== null) whole = request['welcome']
      return await forward()
    },
    ...telling('welcome', (notice) => ({ ...notice, welcome: whole })),
  }
}

function firstWelcome(): Fault {
  let first: Fields | undefined
  return telling('welcome', (notice) => {
    first ??= notice
    return first
  })
}

function foundingTree(): Fault {
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
function showingTheRefused(): Fault {
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

function silentTo(code: string): Fault {
  return {
    answer: async (_, forward) => {
      const reply = await forward()
      return reply['code'] === code ? await new Promise(() => {}) : reply
    },
  }
}

const ofTheLog = ['resume.pages', 'resume.same', 'resume.once', 'resume.notices', 'resume.range']
const ofCommits = ['commit.race', 'commit.missed', 'commit.again', 'commit.stale', 'commit.early']

export const faults: readonly PlantedFault[] = [
  {
    name: 'lets everybody in',
    plant: ({ forEveryMeeting }) => ({ token: () => forEveryMeeting }),
    looking: [
      'token.missing',
      'token.malformed',
      'token.signature',
      'token.grant',
      'token.meeting',
    ],
    fail: ['token.missing', 'token.malformed', 'token.signature', 'token.grant', 'token.meeting'],
  },
  {
    name: 'gives every connection the same nonce',
    plant: () => replying('enter', (reply) => ({ ...reply, nonce: new Uint8Array(16) })),
    looking: ['enter.'],
    fail: ['enter.nonce', 'enter.minor-0'],
  },
  {
    name: 'turns clients of minor version 0 away',
    plant: () =>
      replying('enter', (reply, { minor }) =>
        reply['ok'] === true && minor === undefined
          ? { ok: false, code: 'protocol-unsupported', message: '' }
          : reply,
      ),
    looking: ['enter.'],
    fail: ['enter.minor-0'],
  },
  {
    name: 'says more than the protocol does',
    plant: () => replying('enter', (reply) => ({ ...reply, people: ['alice'] })),
    looking: ['replies', 'enter.nonce'],
    fail: ['replies.fields'],
  },
  {
    name: 'never answers what is malformed',
    plant: () => silentTo('request-malformed'),
    looking: ['malformed', 'fields.unknown'],
    fail: ['malformed.payload', 'malformed.field', 'malformed.name'],
  },
  {
    name: 'takes fields of any size',
    plant: () =>
      replying('propose', (reply) =>
        reply['code'] === 'payload-too-large' ? { ok: false, code: 'group-unknown' } : reply,
      ),
    looking: ['size'],
    fail: ['size.field'],
  },
  {
    name: 'lets two found one meeting',
    plant: () => accepting('create', withCode('meeting-exists'), { ...appended, seq: 0 }),
    looking: ['create'],
    fail: ['create.race'],
  },
  {
    name: 'forgets who has founded the meeting',
    plant: () =>
      forgetting('create', 'groupInfo', { ok: false, code: 'meeting-exists', message: '' }),
    looking: ['create'],
    fail: ['create.again'],
  },
  {
    name: 'tells one meeting the entries of another',
    plant: leakingEntries,
    looking: ['create'],
    fail: ['create.apart'],
  },
  {
    name: 'has everybody wait in the first place',
    plant: () =>
      replying('wait', (reply) => (reply['ok'] === true ? { ok: true, position: 0 } : reply)),
    looking: ['wait.position', 'wait.newest', 'wait.epochs'],
    fail: ['wait.position'],
  },
  {
    name: 'has no limit on the waiting list',
    plant: () => accepting('wait', withCode('waiting-list-full'), { position: 8 }),
    looking: ['wait.'],
    fail: ['wait.full'],
  },
  {
    name: 'lets a KeyPackage be used twice',
    plant: () => accepting('commit', withDetail('key-package-used'), appended),
    looking: ['wait.'],
    fail: ['wait.used'],
  },
  {
    name: 'gives a joiner the others’ part of the Welcome, too',
    plant: wholeWelcomes,
    looking: ['welcome'],
    fail: ['welcome.own'],
  },
  {
    name: 'gives a joiner another’s Welcome',
    plant: firstWelcome,
    looking: ['welcome'],
    fail: ['welcome.joins', 'welcome.own'],
  },
  {
    name: 'serves the tree of another epoch',
    plant: foundingTree,
    looking: ['tree', 'welcome.own'],
    fail: ['tree.present', 'tree.kept'],
  },
  {
    name: 'leaves out a sequence number',
    plant: () => ({
      ...replying('resume', (reply) =>
        repacked(reply, (entries) =>
          entries.map(({ seq, message }) => ({ seq: skipping(seq), message })),
        ),
      ),
      ...telling('entry', (notice) => ({
        ...notice,
        entry: { ...(notice['entry'] as Fields), seq: skipping(seqOf(notice)) },
      })),
    }),
    looking: ofTheLog,
    fail: ['resume.pages', 'resume.same', 'resume.once', 'resume.notices'],
  },
  {
    name: 'turns the pages of the log around',
    plant: () =>
      replying('resume', (reply) => repacked(reply, (entries) => [...entries].reverse())),
    looking: ofTheLog,
    fail: ['resume.pages', 'resume.same'],
  },
  {
    name: 'loses a notice now and then',
    plant: () => telling('entry', (notice) => (seqOf(notice) % 5 === 4 ? undefined : notice)),
    looking: ['resume.same', 'resume.notices', 'resume.range'],
    fail: ['resume.notices'],
  },
  {
    name: 'has nothing to say of entries that there are not',
    plant: () => {
      const [entries, waiting] = [packEntries([]), packJoiners([])]
      const nothing = { entries, head: 0, waiting, present: [] }
      return accepting('resume', withCode('seq-out-of-range'), nothing)
    },
    looking: ofTheLog.slice(1),
    fail: ['resume.range'],
  },
  {
    name: 'accepts two commits of one epoch',
    plant: () =>
      accepting(
        'commit',
        lostBy((missed) => missed === 1),
        appended,
      ),
    looking: ofCommits,
    fail: ['commit.race'],
  },
  {
    name: 'accepts a commit of an epoch that is over',
    plant: () =>
      accepting(
        'commit',
        lostBy((missed) => missed > 1),
        appended,
      ),
    looking: ofCommits,
    fail: ['commit.missed', 'commit.stale'],
  },
  {
    name: 'does not say what the loser has missed',
    plant: () =>
      replying('commit', (reply) =>
        reply['missed'] === undefined ? reply : { ...reply, missed: packEntries([]) },
      ),
    looking: [...ofCommits, 'removal.lagging'],
    fail: ['commit.race', 'commit.missed', 'removal.lagging'],
  },
  {
    name: 'forgets which commits it has accepted',
    plant: () =>
      forgetting('commit', 'message', {
        ok: false,
        code: 'epoch-mismatch',
        message: '',
        missed: packEntries([]),
      }),
    looking: [...ofCommits, 'propose'],
    fail: ['commit.again'],
  },
  {
    name: 'orders a proposal as often as it is sent',
    plant: () => forgetting('propose', 'message', { ok: true, seq: 99, durable: false }),
    looking: ['propose'],
    fail: ['propose.again'],
  },
  {
    name: 'shows everybody what it refuses',
    plant: showingTheRefused,
    looking: ['commit.checked', 'commit.envelope', 'propose'],
    fail: ['commit.checked', 'commit.envelope'],
  },
  {
    name: 'calls durable what is not',
    plant: () =>
      replying('commit', (reply) => (reply['ok'] === true ? { ...reply, durable: true } : reply)),
    looking: ['commit.durable', 'commit.again'],
    fail: ['commit.durable'],
  },
  {
    name: 'accepts a commit that leaves out a removal',
    plant: () => accepting('commit', withDetail('commit-omits-removal'), appended),
    looking: ['removal.omitted', 'removal.lagging', 'removal.committer'],
    fail: ['removal.omitted'],
  },
  {
    name: 'accepts a commit that misses a removal for ever',
    plant: () => accepting('commit', withDetail('commit-lags'), appended),
    looking: ['removal.omitted', 'removal.lagging', 'removal.committer'],
    fail: ['removal.lagging'],
  },
  {
    name: 'accepts a commit of somebody who is on the way out',
    plant: () => accepting('commit', withDetail('committer-pending-removal'), appended),
    looking: ['removal.omitted', 'removal.lagging', 'removal.committer'],
    fail: ['removal.committer'],
  },
  {
    name: 'never notices that somebody has gone',
    plant: () => ({ keepsTheDead: true }),
    looking: ['removal.absent', 'removal.unattached', 'present.told', 'wait.withdrawn'],
    fail: ['removal.absent', 'present.told', 'wait.withdrawn'],
  },
  {
    name: 'never tells that a group has ended',
    plant: () => telling('closed', () => undefined),
    looking: ['group', 'present.told'],
    fail: ['group.deserted', 'group.left'],
  },
  {
    name: 'believes whoever says which leaf it is',
    plant: () => accepting('attach', withCode('presence-invalid'), {}),
    looking: ['attach', 'present.told'],
    fail: ['attach.proven'],
  },
]
