import { setTimeout as pause } from 'node:timers/promises'
import type { ReplyTo } from '@conclave/core/delivery'
import type { PendingCommit } from '@conclave/core/mls/group'
import { systemClock } from '@conclave/keyserver'
import { digitsOf } from '../../../client-sdk/src/session/digits.ts'
import { TestClient } from '../support/testClient.ts'
import { add, keyPackageOf, TestMember, type Upload } from '../support/testMember.ts'
import type { Chance } from './chance.ts'
import type { Observations } from './observations.ts'
import type { Site } from './site.ts'

interface Racer {
  readonly member: TestMember
  /** Another connection of the same person, to another instance. */
  readonly elsewhere: TestClient
}

interface Entrant extends Racer {
  readonly pending: PendingCommit
  readonly upload: Upload
}

type Answer = ReplyTo<'commit'>

/** A leaf that wins every race commits no more often than one may: 40 times in ten seconds. */
const racePauseMs = 250

/** Why a commit may lose. */
const honestReasons = ['epoch-mismatch', 'commit-omits-removal', 'commit-lags']

/** Members of a meeting, each at another instance, who commit when they are told to. */
export class Racers {
  readonly #racers: readonly Racer[]
  readonly #observations: Observations

  private constructor(racers: readonly Racer[], observations: Observations) {
    this.#racers = racers
    this.#observations = observations
  }

  /** One at each instance; somebody in the meeting has to let them in. */
  static async enter(site: Site, meetingId: string, observations: Observations): Promise<Racers> {
    const connectTo = async (port: number | undefined, identity: string) => {
      const client = new TestClient(`http://127.0.0.1:${port}`, {
        token: await site.token(identity, meetingId),
      })
      await client.connected()
      return client
    }
    const racers: Racer[] = []
    const { living } = site.instances
    for (const [i, { port }] of living.entries()) {
      const identity = `racer ${i}`
      const connect = () => connectTo(port, identity)
      const member = await TestMember.arrive({ clock: systemClock, connect }, identity, meetingId)
      const bundle = await member.wait()
      await member.join(bundle)
      await member.take()
      const elsewhere = await connectTo(living[(i + 1) % living.length]?.port, identity)
      await elsewhere.enter(meetingId)
      racers.push({ member, elsewhere })
    }
    return new Racers(racers, observations)
  }

  get identities(): readonly string[] {
    return this.#racers.map(({ member }) => member.identity)
  }

  /**
   * All commit at once for the epoch that they are in, everybody twice and at two instances.
   * @returns what is wrong with the answers
   */
  async race(chance: Chance): Promise<readonly string[]> {
    const entrants = await Promise.all(this.#racers.map((racer) => this.#prepare(racer)))
    const answers = await Promise.all(entrants.map((entrant) => this.#send(entrant, chance)))
    const wins = entrants.flatMap(({ member, pending }, i) => {
      const won = answers[i]?.find((answer) => answer.ok)
      if (won?.ok) member.confirm(pending, won.seq)
      return won?.ok ? [member.identity] : []
    })
    for (const racer of this.#racers) await this.#catchUp(racer)
    await pause(racePauseMs)
    return [
      ...(wins.length > 1 ? [`${wins.join(' and ')} have won`] : []),
      ...entrants.flatMap(({ member }, i) => wrongWith(member.identity, answers[i] ?? [])),
    ]
  }

  leave(): void {
    for (const { member, elsewhere } of this.#racers) {
      member.client.disconnect()
      elsewhere.disconnect()
    }
  }

  async #prepare(racer: Racer): Promise<Entrant> {
    const { waiting } = await this.#catchUp(racer)
    const joiners = waiting.map(({ keyPackage }) => add(keyPackageOf(keyPackage)))
    return { ...racer, ...(await racer.member.prepareCommit(joiners)) }
  }

  async #catchUp({ member }: Racer) {
    const who = member.identity
    const page = await this.#observations.awaited(who, 'to catch up', () => member.resume())
    const { epoch, group } = member
    this.#observations.saw({ who, epoch, safetyCode: digitsOf(group.epochAuthenticator) })
    return page
  }

  #send({ member, elsewhere, upload }: Entrant, chance: Chance): Promise<readonly Answer[]> {
    return Promise.all(
      [member.client, elsewhere].map(async (client) => {
        await pause(chance.between(0, 5))
        const send = () => client.request('commit', upload)
        return await this.#observations.asked(member.identity, 'commit', upload, send)
      }),
    )
  }
}

/** Both answers to one commit say the same: it won, once, or it lost for an honest reason. */
function wrongWith(who: string, answers: readonly Answer[]): readonly string[] {
  const told = answers.map((answer) =>
    answer.ok ? `seq ${answer.seq}` : (answer.detail ?? answer.code),
  )
  const [first = 'nothing', second] = told
  if (answers.every(({ ok }) => ok) && first === second) return []
  const lost = answers.every(({ ok }) => !ok) && told.every((why) => honestReasons.includes(why))
  return lost ? [] : [`${who} was told ${told.join(', then ')}`]
}
