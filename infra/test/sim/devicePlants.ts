import type { SessionStore } from '@conclave/client'
import type { Clock } from '@conclave/core'
import { Group } from '@conclave/core/mls/group'
import { Healing } from '../../../client-sdk/src/session/healing.ts'
import { MessageOrder } from '../../../client-sdk/src/session/messageOrder.ts'
import { WaitingList } from '../../../client-sdk/src/session/waitingList.ts'
import type { Life } from '../../sim/people/life.ts'
import type { Plant } from '../../sim/plant.ts'
import { patched } from './clientPlants.ts'

/** Bugs in what members say to each other, and in how their devices keep time. */
export const devicePlants: readonly Plant[] = [
  {
    name: 'what was said is shown as often as it comes',
    install: patched(MessageOrder.prototype, 'offer', repeating(MessageOrder.prototype.offer)),
  },
  {
    name: 'nobody is told that something is missing',
    install: patched(MessageOrder.prototype, 'offer', fillingGaps(MessageOrder.prototype.offer)),
  },
  {
    name: 'messages are shown when some more have come',
    install: patched(MessageOrder.prototype, 'offer', gathering(MessageOrder.prototype.offer)),
  },
  {
    name: 'of each two messages the second is shown first',
    install: patched(MessageOrder.prototype, 'offer', swapping(MessageOrder.prototype.offer)),
  },
  {
    name: 'a member takes what others say for its own words',
    install: patched(Group.prototype, 'receive', misattributing(Group.prototype.receive)),
  },
  {
    name: 'members never renew their keys',
    install: patched(Healing.prototype, 'renewed', () => {}),
  },
  {
    name: 'the clock of a device stands still while it sleeps',
    seams: { clock: standingStill },
  },
  {
    name: 'what falls due while a device sleeps is forgotten',
    seams: { clock: forgetful },
  },
  {
    name: 'a session leaves a note of where it was',
    seams: { sessionStore: leavingNotes },
  },
  {
    name: 'a session keeps the states of the epochs before',
    seams: { sessionStore: keepingStates },
  },
  {
    name: 'whom a member invites is said to be in and is not',
    install: patched(WaitingList.prototype, 'invite', async () => true),
  },
  {
    name: 'devices take the time of their zone for UTC',
    seams: { clock: (clock, { identity }) => ahead(clock, identity === 'p0' ? 3_600_000 : 0) },
  },
]

function repeating(offer: MessageOrder<unknown>['offer']): MessageOrder<unknown>['offer'] {
  let times = 0
  return function (this: MessageOrder<unknown>, name, _place, message) {
    times += 1
    return offer.call(this, name, { run: String(times), number: 0, from: 0 }, message)
  }
}

function fillingGaps(offer: MessageOrder<unknown>['offer']): MessageOrder<unknown>['offer'] {
  const next = new Map<string, number>()
  return function (this: MessageOrder<unknown>, name, place, message) {
    const run = `${name} ${place.run}`
    for (let number = next.get(run) ?? place.number; number < place.number; number++) {
      offer.call(this, name, { ...place, number }, undefined)
    }
    next.set(run, place.number + 1)
    return offer.call(this, name, place, message)
  }
}

function swapping(offer: MessageOrder<unknown>['offer']): MessageOrder<unknown>['offer'] {
  return function (this: MessageOrder<unknown>, name, place, message) {
    const number = place.number % 2 === 0 ? place.number + 1 : place.number - 1
    return offer.call(this, name, { ...place, number }, message)
  }
}

function gathering(offer: MessageOrder<unknown>['offer']): MessageOrder<unknown>['offer'] {
  const gathered = new WeakMap<object, (() => void)[]>()
  return function (this: MessageOrder<unknown>, ...offered) {
    const waiting = gathered.get(this) ?? []
    gathered.set(this, waiting)
    waiting.push(() => offer.call(this, ...offered))
    if (waiting.length > 4) for (const show of waiting.splice(0)) show()
    return true
  }
}

function misattributing(receive: Group['receive']): Group['receive'] {
  return async function (this: Group, message) {
    const received = await receive.call(this, message)
    const own = this.members.find(({ leafIndex }) => leafIndex === this.leafIndex)
    if (received.kind !== 'application' || own === undefined) return received
    return { ...received, sender: this.leafIndex, leafNode: own.leafNode }
  }
}

function leavingNotes(store: SessionStore): SessionStore {
  return {
    ...store,
    write: (changes) => store.write(new Map([...changes, ['place', new Uint8Array(8)]])),
  }
}

function keepingStates(store: SessionStore): SessionStore {
  let states = 0
  return {
    ...store,
    write: (changes) => {
      const again = [...changes].flatMap(([key, value]) =>
        value === undefined || value.length < 500 ? [] : [[`${key}/${states++}`, value] as const],
      )
      return store.write(new Map([...changes, ...again]))
    },
  }
}

function ahead(clock: Clock, ms: number): Clock {
  return {
    now: () => clock.now() + ms,
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
  }
}

function standingStill(clock: Clock, life: Life): Clock {
  let slept = 0
  let last = life.lastSleep
  return {
    now: () => {
      const { lastSleep } = life
      if (lastSleep.from !== last.from) slept += lastSleep.until - lastSleep.from
      last = lastSleep
      return clock.now() - slept
    },
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
  }
}

function forgetful(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    setTimer: (delayMs, callback) => {
      const due = clock.now() + delayMs
      return clock.setTimer(delayMs, () => {
        if (clock.now() - due < 100) callback()
      })
    },
  }
}
