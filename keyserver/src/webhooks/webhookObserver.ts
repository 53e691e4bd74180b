import type { Clock, RandomBytes } from '@conclave/core'
import { toHex } from '@conclave/core/codec'
import type { Logger } from 'pino'
import type { Jobs, WebhookEvent } from '../jobs/jobs.ts'
import {
  type KeyserverObserver,
  type ObservedGroup,
  type ObservedMember,
  silentObserver,
} from '../observer.ts'

type Told = Pick<WebhookEvent, 'type' | 'participant' | 'reason' | 'continues'>

/** Schedules a webhook for whatever the app's backend is told of. */
export function webhookObserver(options: {
  readonly jobs: Pick<Jobs, 'schedule'>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly logger: Logger
}): KeyserverObserver {
  const { jobs, clock, random, logger } = options

  function tell(group: ObservedGroup, told: Told): void {
    const at = clock.now()
    const { meetingId, epoch } = group
    const id = `msg_${toHex(random(16))}`
    const event: WebhookEvent = { id, at, meetingId, groupId: toHex(group.groupId), epoch, ...told }
    jobs.schedule({ kind: 'webhook', event }, at).catch((error: unknown) => {
      logger.error({ meeting: meetingId, epoch, event: told.type, err: error }, 'webhook lost')
    })
  }

  return {
    ...silentObserver,
    meetingStarted(group, founder) {
      tell(group, { type: 'meeting.started' })
      tell(group, { type: 'participant.joined', participant: participantOf(founder) })
    },
    meetingContinued(group, before) {
      tell(group, { type: 'meeting.continued', continues: toHex(before) })
    },
    meetingEnded(group, reason) {
      tell(group, { type: 'meeting.ended', reason })
    },
    committed(group, { added, removed }) {
      tell(group, { type: 'epoch.advanced' })
      for (const member of removed) {
        tell(group, { type: 'participant.left', participant: participantOf(member) })
      }
      for (const member of added) {
        tell(group, { type: 'participant.joined', participant: participantOf(member) })
      }
    },
  }
}

function participantOf({
  leaf,
  identity,
  deviceKey,
}: ObservedMember): NonNullable<WebhookEvent['participant']> {
  return { leaf, identity, deviceKey: toHex(deviceKey) }
}
