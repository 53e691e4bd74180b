import { describe, expect, test } from 'vitest'
import { continueBy, follow, freeze } from '../support/continuing.ts'
import { meetingOf, type TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

type Three = [TestMember, TestMember, TestMember]

async function three(): Promise<Three> {
  return (await meetingOf(await TestServer.start(), 'alice', 'bob', 'carol')) as Three
}

describe('a group that has been reinitialised', () => {
  test('is continued by any member, with everybody and another suite', async () => {
    const members = await three()
    const [alice, bob, carol] = members
    const before = alice.groupId
    const offered = await freeze(members)
    await bob.client.notice('offered', ({ missing }) => missing.length === 0)
    await continueBy(bob)
    const next = bob.groupId
    for (const member of [alice, carol]) {
      expect(await member.client.notice('continued')).toEqual({ groupId: before, next })
      await follow(member, offered, next)
      expect(member.groupId).toEqual(next)
    }
    expect(members.map(({ epoch }) => epoch)).toEqual([1, 1, 1])
    expect(alice.group.groupContext.cipherSuite).toBe(3)
    const seq = await carol.commit()
    await Promise.all([alice, bob].map((member) => member.receiveUpTo(seq)))
    expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
  })
})
