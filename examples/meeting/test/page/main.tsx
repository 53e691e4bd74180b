import { SecureMeeting } from '@conclave/client'
import type { FrameCryptor } from '@conclave/client/media'
import { render } from 'preact'
import { App } from '../../src/page/app.tsx'
import { Conversation, type ConversationOptions } from '../../src/page/conversation.ts'
import { readAddress } from '../../src/page/pageAddress.ts'
import { forgetfulFrameCryptor } from './forgetfulFrameCryptor.ts'
import { passThroughFrameCryptor } from './passThroughFrameCryptor.ts'
import { Probe } from './probe.ts'
import { recordingFrameCryptor } from './recordingFrameCryptor.ts'

declare global {
  interface Window {
    probe: Probe
  }
}

/** The product's page with another frame cryptor: `?media=recorded`, `clear`, or `forgetful`. */
const cryptors: Record<string, (probe: Probe) => FrameCryptor> = {
  recorded: recordingFrameCryptor,
  clear: passThroughFrameCryptor,
  forgetful: forgetfulFrameCryptor,
}

const makeCryptor = cryptors[new URLSearchParams(location.search).get('media') ?? '']
if (makeCryptor === undefined) throw new Error('the address says no kind of media')

const probe = new Probe()
window.probe = probe

// A conversation keeps its meeting to itself.
const joinMeeting = SecureMeeting.join
SecureMeeting.join = async (options) => {
  const meeting = await joinMeeting(options)
  probe.watchMeeting(meeting)
  return meeting
}

async function join(options: ConversationOptions): Promise<Conversation> {
  const conversation = await Conversation.join({
    ...options,
    createFrameCryptor: () => {
      probe.cryptor = (makeCryptor as (probe: Probe) => FrameCryptor)(probe)
      return probe.cryptor
    },
  })
  probe.conversation = conversation
  return conversation
}

render(<App address={readAddress()} join={join} />, document.getElementById('app') as HTMLElement)
