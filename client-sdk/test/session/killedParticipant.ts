import { type JoinOptions, SecureMeeting } from '../../src/index.ts'
import { storeIn } from '../storage/storeFiles.ts'

/** Takes part in a meeting until it is killed, and says in which epoch it is. */
const [directory = '', keyserver = '', meetingId = '', token = ''] = process.argv.slice(2)

const options: JoinOptions = {
  keyserver,
  meetingId,
  token,
  identity: { id: 'bob' },
  trust: { policy: 'open' },
  store: storeIn(directory),
}
const meeting = await SecureMeeting.join(options)
const say = () => process.stdout.write(`${meeting.view.epoch} ${meeting.self.leaf}\n`)
meeting.on('epochChanged', say)
say()
