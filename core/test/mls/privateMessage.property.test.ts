import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Bytes, toHex } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { ConclaveError } from '../../src/error.ts'
import { SecretTree } from '../../src/mls/treedem/secretTree.ts'
import { PrivateMessage } from '../../src/wire/index.ts'
import { ContentType, ProposalType } from '../../src/wire/registry.ts'
import { damage } from './damage.ts'
import { type Body, PrivateGroup, text } from './privateGroup.ts'
import { suite } from './testCrypto.ts'

const limits = { maxForwardGenerations: 6, maxKeptKeys: 3 }
const receiver = 0
const senders = [1, 2, 3]
const perRatchet = 12

/** RFC 9420 §9.1 as a list of generations: what a receiver should be able to open. */
class ModelRatchet {
  #next = 0
  #kept: number[] = []

  receive(generation: number): string {
    if (this.#kept.includes(generation)) {
      this.#kept = this.#kept.filter((kept) => kept !== generation)
      return 'opened'
    }
    if (generation < this.#next) return 'message-key-consumed'
    if (generation > this.#next + limits.maxForwardGenerations) return 'message-generation-too-far'
    while (this.#next < generation) this.#kept.push(this.#next++)
    this.#next++
    this.#kept = this.#kept.slice(-limits.maxKeptKeys)
    return 'opened'
  }
}

async function outcomeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
    return 'opened'
  } catch (error) {
    if (error instanceof ConclaveError) return error.code
    throw error
  }
}

/** All that the senders will ever have sent, by sender, ratchet and generation. */
async function correspondence(group: PrivateGroup): Promise<PrivateMessage[][]> {
  const ratchets: PrivateMessage[][] = []
  for (const sender of senders) {
    for (const body of [
      (i: number): Body => text(`${sender}: ${i}`),
      (): Body => ({
        contentType: ContentType.proposal,
        proposal: { proposalType: ProposalType.selfRemove },
      }),
    ]) {
      const messages: PrivateMessage[] = []
      for (let i = 0; i < perRatchet; i++) messages.push(await group.send(sender, body(i)))
      ratchets.push(messages)
    }
  }
  return ratchets
}

const delivery = fc.record({
  ratchet: fc.nat(2 * senders.length - 1),
  generation: fc.nat(perRatchet - 1),
  how: fc.constantFrom('whole', 'whole', 'whole', 'damaged', 'refused', 'restored'),
})

it('in any order, lost, doubled and damaged, each message opens once within the limits', async () => {
  const group = await PrivateGroup.create({ size: 4, limits })
  const ratchets = await correspondence(group)
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(delivery, { minLength: 20, maxLength: 120 }),
      damage,
      async (deliveries, harm) => {
        let secrets = group.secretsFor(receiver, limits)
        const models = ratchets.map(() => new ModelRatchet())
        const state = () => toHex(secrets.secretTree.encodeState().expose())
        for (const { ratchet, generation, how } of deliveries) {
          const message = ratchets[ratchet]?.[generation] as PrivateMessage
          const before = state()
          if (how === 'damaged') {
            const harmed = { ...message, ciphertext: harm(message.ciphertext) }
            if (toHex(harmed.ciphertext) === toHex(message.ciphertext)) continue
            // The sender data fit where the damage lies behind the sample that keys them.
            const outcome = await outcomeOf(group.receiveWith(secrets, harmed))
            expect(outcome).toMatch(/^message-(undecryptable|key-consumed|generation-too-far)$/)
            expect(state()).toBe(before)
          } else if (how === 'refused') {
            await outcomeOf(group.unprotectWith(secrets, message).then((opened) => opened.refuse()))
            expect(state()).toBe(before)
          } else {
            if (how === 'restored') {
              const stored = secrets.secretTree.encodeState().expose()
              secrets = { ...secrets, secretTree: SecretTree.restore(suite(), stored, limits) }
            }
            const outcome = await outcomeOf(group.receiveWith(secrets, message))
            expect(outcome).toBe((models[ratchet] as ModelRatchet).receive(generation))
            if (outcome !== 'opened') expect(state()).toBe(before)
            seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
          }
        }
      },
    ),
    { numRuns: 40 },
  )
  for (const outcome of ['opened', 'message-key-consumed', 'message-generation-too-far']) {
    expect(seen.get(outcome) ?? 0, outcome).toBeGreaterThan(10)
  }
})

it('opened side by side and settled in any order, each generation is accepted once', async () => {
  const group = await PrivateGroup.create({ size: 4 })
  const ratchets = await correspondence(group)
  const pick = fc.tuple(fc.nat(ratchets.length - 1), fc.nat(perRatchet - 1), fc.boolean(), fc.nat())
  await fc.assert(
    fc.asyncProperty(fc.array(pick, { maxLength: 20 }), async (picks) => {
      const secrets = group.secretsFor(receiver)
      const opened = await Promise.all(
        picks.map(async ([ratchet, generation, genuine, order]) => {
          const message = ratchets[ratchet]?.[generation] as PrivateMessage
          const name = `${ratchet}/${generation}`
          return { name, genuine, order, opening: await group.unprotectWith(secrets, message) }
        }),
      )
      const accepted = new Set<string>()
      for (const { name, genuine, opening } of opened.toSorted((a, b) => a.order - b.order)) {
        if (!genuine) opening.refuse()
        else if (accepted.has(name)) expect(() => opening.accept()).toThrow(ConclaveError)
        else opening.accept()
        if (genuine) accepted.add(name)
      }
      for (const [ratchet, messages] of ratchets.entries()) {
        for (const [generation, message] of messages.entries()) {
          const used = accepted.has(`${ratchet}/${generation}`)
          expect(await outcomeOf(group.receiveWith(secrets, message))).toBe(
            used ? 'message-key-consumed' : 'opened',
          )
        }
      }
    }),
    { numRuns: 12 },
  )
})

it('noise and damage never open, crash or change anything', async () => {
  const group = await PrivateGroup.create({ size: 4 })
  const genuine = encode(PrivateMessage, await group.send(1, text('genuine')))
  const before = toHex(group.state(receiver))
  await fc.assert(
    fc.asyncProperty(damage, async (harm) => {
      const harmed: Bytes = harm(genuine)
      if (toHex(harmed) === toHex(genuine)) return
      const outcome = await outcomeOf(
        (async () => group.receive(receiver, decode(PrivateMessage, harmed)))(),
      )
      expect(outcome).not.toBe('opened')
    }),
    { numRuns: 500 },
  )
  expect(toHex(group.state(receiver))).toBe(before)
  await group.receive(receiver, decode(PrivateMessage, genuine))
})
