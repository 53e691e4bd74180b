import { packEntries, packJoiners, packKeyPackages } from '@conclave/core/delivery'
import { continuingFaults } from './continuingFaults.ts'
import {
  accepting,
  appended,
  firstWelcome,
  forgetting,
  foundingGroupInfo,
  foundingTree,
  leakingEntries,
  lostBy,
  oneCommitAtATime,
  passingOnWhatAnybodySends,
  repacked,
  repeating,
  replying,
  seqOf,
  showingTheRefused,
  silentTo,
  skipping,
  telling,
  wholeWelcomes,
  withCode,
  withDetail,
  withoutKeyPackages,
} from './faultyBehaviour.ts'
import type { PlantedFault } from './plantedFault.ts'
import type { Fields } from './relay.ts'
import { removalFaults } from './removalFaults.ts'

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
    looking: ['malformed.payload', 'malformed.name', 'fields.unknown'],
    fail: ['malformed.payload', 'malformed.name'],
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
    name: 'tells who waits and nobody’s KeyPackage',
    plant: () => telling('waiting', withoutKeyPackages),
    looking: ['wait.named'],
    fail: ['wait.named'],
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
  ...removalFaults,
  ...continuingFaults,
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
  {
    name: 'has newcomers start from another epoch',
    plant: foundingGroupInfo,
    looking: ['external'],
    fail: [
      'external.groupInfo',
      'external.join',
      'external.resync',
      'external.race',
      'external.removals',
    ],
  },
  {
    name: 'has members wait for newcomers, whatever they remove',
    plant: oneCommitAtATime,
    looking: ['external'],
    fail: ['external.removals'],
  },
  {
    name: 'undoes a commit on a lone report',
    plant: () =>
      replying('report', (reply) =>
        reply['ok'] === true ? { ok: true, outcome: 'voided' } : reply,
      ),
    looking: ['status'],
    fail: ['status.lone', 'status.void'],
  },
  {
    name: 'never undoes a commit',
    plant: () =>
      replying('report', (reply) =>
        reply['outcome'] === 'voided' ? { ...reply, outcome: 'collecting' } : reply,
      ),
    looking: ['status'],
    fail: ['status.void'],
  },
  {
    name: 'asks nobody else how a commit fared',
    plant: () => telling('statusWanted', () => undefined),
    looking: ['status'],
    fail: ['status.lone'],
  },
  {
    name: 'believes words that nobody has signed',
    plant: () => accepting('report', withCode('status-invalid'), { outcome: 'collecting' }),
    looking: ['status'],
    fail: ['status.signed'],
  },
  {
    name: 'takes back whatever it is given',
    plant: () => accepting('giveBack', withCode('entries-inapplicable'), { head: 1 }),
    looking: ['giveBack'],
    fail: ['giveBack.checked'],
  },
  {
    name: 'passes on what anybody sends',
    plant: passingOnWhatAnybodySends,
    looking: ['message'],
    fail: ['message.members'],
  },
  {
    name: 'calls messages of any epoch passed on',
    plant: () => accepting('send', withCode('epoch-mismatch'), {}),
    looking: ['message'],
    fail: ['message.epoch'],
  },
  {
    name: 'suppresses messages',
    plant: () => telling('message', () => undefined),
    looking: ['message'],
    fail: ['message.passed', 'message.order'],
  },
  {
    name: 'changes what it passes on',
    plant: () => telling('message', ({ groupId }) => ({ groupId, message: groupId })),
    looking: ['message'],
    fail: ['message.passed', 'message.order'],
  },
  {
    name: 'passes handshakes on beside the log',
    plant: () => accepting('send', withDetail('message-kind-unexpected'), {}),
    looking: ['message'],
    fail: ['message.kind'],
  },
  {
    name: 'hands a KeyPackage out twice',
    plant: () => repeating('claim', 'identity'),
    looking: ['directory'],
    fail: ['directory.once', 'directory.last-resort'],
  },
  {
    name: 'keeps the mail that was collected',
    plant: () => ({
      answer: async ({ name }, forward) => (name === 'collect' ? { ok: true } : await forward()),
    }),
    looking: ['directory'],
    fail: ['directory.mailbox'],
  },
  {
    name: 'puts Welcomes into mailboxes without a word',
    plant: () => telling('mail', () => undefined),
    looking: ['directory'],
    fail: ['directory.mail'],
  },
  {
    name: 'lets a leaf commit as often as it likes',
    plant: () => accepting('commit', withDetail('commit-too-often'), appended),
    looking: ['commit.rate', 'commit.early'],
    fail: ['commit.rate'],
  },
  {
    name: 'lets everybody claim',
    plant: () =>
      accepting('claim', withCode('not-permitted'), { keyPackages: packKeyPackages([]) }),
    looking: ['directory.grant', 'directory.once'],
    fail: ['directory.grant'],
  },
]
