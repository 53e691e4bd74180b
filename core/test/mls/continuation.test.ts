import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { Group } from '../../src/mls/group/index.ts'
import { ExternalSenders } from '../../src/wire/index.ts'
import { ExtensionType, ProposalType, SenderType } from '../../src/wire/registry.ts'
import {
  bundleOf,
  commitIn,
  enterAll,
  founded,
  invite,
  leafOf,
  permissive,
  reInitAs,
  type Views,
  viewIn,
} from './continuing.ts'
import { copyOf, epochOf, forgeCommit, frameProposal } from './malformed.ts'
import { add, Party, publicMessageIn, viewOf, welcomeIn } from './party.ts'
import { refusal, rejectionOf } from './refusals.ts'

const names = ['alice', 'bob', 'carol']

function expectAgreement(views: Views): void {
  const [first, ...others] = [...views.values()].map(viewOf)
  for (const view of others) expect(view).toEqual(first)
}

/** Everyone reads what each of them writes. */
async function expectHeard(views: Views): Promise<void> {
  for (const [from, group] of views) {
    const message = await group.protect(utf8(from))
    for (const [to, other] of views) {
      if (to === from) continue
      expect(await other.receive(message)).toMatchObject({ kind: 'application', data: utf8(from) })
    }
  }
}

async function reInitialised(cipherSuite = 3) {
  const { party, old } = await founded(names)
  await commitIn(old, 'alice', [reInitAs(cipherSuite)])
  return { party, old }
}

describe('a reinitialised group', () => {
  it('goes on in another suite, and in others after that', async () => {
    const { party, old } = await founded(names)
    let views = old
    for (const [id, founder] of [
      [3, 'alice'],
      [2, 'carol'],
      [7, 'bob'],
    ] as const) {
      await commitIn(views, 'bob', [reInitAs(id)])
      const others = names.filter((name) => name !== founder)
      const found = viewIn(views, founder)
      const invitation = await invite(party, founder, others, id, (continuing) =>
        found.reInit(party.environment, continuing),
      )
      views = await enterAll(party, views, founder, invitation)
      expectAgreement(views)
      const { groupContext } = viewIn(views, 'bob')
      expect(groupContext).toMatchObject({ cipherSuite: id, epoch: 1n, version: 1 })
      expect(groupContext.groupId).toEqual(reInitAs(id).groupId)
      await expectHeard(views)
      await commitIn(views, 'bob', [])
      expectAgreement(views)
    }
  })

  it('takes the extensions that were agreed upon', async () => {
    const { party, old } = await founded(names)
    const extensions = [
      {
        extensionType: ExtensionType.externalSenders,
        extensionData: encode(ExternalSenders, [party.externalSender]),
      },
    ]
    await commitIn(old, 'bob', [reInitAs(1, { extensions })])
    const invitation = await invite(party, 'bob', ['alice', 'carol'], 1, (continuing) =>
      viewIn(old, 'bob').reInit(party.environment, continuing),
    )
    const views = await enterAll(party, old, 'bob', invitation)
    expect(viewIn(views, 'alice').groupContext.extensions).toEqual(extensions)
  })

  it('may be founded by whoever is left when its founder is gone', async () => {
    const { party, old } = await reInitialised()
    const dying = await invite(party, 'alice', ['bob', 'carol'], 3, (continuing) =>
      viewIn(old, 'alice').reInit(party.environment, continuing),
    )
    // alice's Welcome never arrives.
    dying.pending.discard()
    const invitation = await invite(party, 'bob', ['alice', 'carol'], 3, (continuing) =>
      viewIn(old, 'bob').reInit(party.environment, continuing),
    )
    const views = await enterAll(party, old, 'bob', invitation)
    expectAgreement(views)
    expect(viewIn(views, 'bob').leafIndex).toBe(0)
  })

  it('may take in more people than were there before', async () => {
    const { party, old } = await reInitialised()
    const invitation = await invite(party, 'bob', ['alice', 'carol', 'dave'], 3, (continuing) =>
      viewIn(old, 'bob').reInit(party.environment, continuing),
    )
    expect(invitation.pending.effect.added).toHaveLength(3)
    const bundle = invitation.bundles.get('dave')
    if (bundle === undefined) throw new Error('dave was invited')
    // He has no part in the old group, whose key he would need.
    const joining = { welcome: welcomeIn(invitation.pending.welcome), bundle }
    await expect(Group.join(party.environment, joining)).rejects.toEqual(
      refusal('welcome-psk-invalid'),
    )
  })

  it('sends nothing any more', async () => {
    const { old } = await reInitialised()
    const ended = refusal('group-reinitialised')
    for (const group of old.values()) {
      expect(group.public.reInit).toMatchObject({ cipherSuite: 3 })
      await expect(group.commit()).rejects.toEqual(ended)
      await expect((async () => group.protect(utf8('too late')))()).rejects.toEqual(ended)
      for (const encrypted of [false, true]) {
        const leave = { proposalType: ProposalType.selfRemove } as const
        await expect(group.propose(leave, { encrypted })).rejects.toEqual(ended)
        await expect(group.proposeUpdate({ encrypted })).rejects.toEqual(ended)
      }
    }
  })

  it('takes no commit or proposal any more', async () => {
    const { party, old } = await reInitialised()
    for (const [name, group] of old) party.at(name).group = group
    const { message, groupInfo } = await forgeCommit(copyOf(party, party.at('carol')))
    for (const { group } of party.others('carol')) {
      expect(await rejectionOf(group, message)).toBe('group-reinitialised')
      expect(group.public.reInit).toBeDefined()
    }
    await expect(
      viewIn(old, 'alice').public.withCommit(publicMessageIn(message), groupInfo),
    ).rejects.toEqual(refusal('group-reinitialised'))
  })

  it('is still reinitialised after its state was stored', async () => {
    const { party, old } = await reInitialised()
    const group = viewIn(old, 'bob')
    const { signer } = party.at('bob').person.own
    const restored = Group.restore(party.environment, group.encodeState().expose(), signer)
    expect(restored.public.reInit).toEqual(group.public.reInit)
    const invitation = await invite(party, 'bob', ['alice', 'carol'], 3, (continuing) =>
      restored.reInit(party.environment, continuing),
    )
    expectAgreement(await enterAll(party, old, 'bob', invitation))
  })
})

describe('a group that was founded and may be lost in a crash', () => {
  it('is restored from what was stored before anybody had it', async () => {
    const { party, old } = await reInitialised()
    const founder = viewIn(old, 'alice')
    const invitation = await invite(party, 'alice', ['bob', 'carol'], 3, (continuing) =>
      founder.reInit(party.environment, continuing),
    )
    const { pending } = invitation
    const state = pending.encodeEntered()
    expect(() => pending.encodeState()).toThrow(refusal('pending-commit-mismatch'))
    const views = await enterAll(party, old, 'alice', invitation)
    const { signer } = invitation.own
    const restored = Group.restore(party.environment, state.expose(), signer)
    expect(viewOf(restored)).toEqual(viewOf(viewIn(views, 'bob')))
    await expectHeard(new Map([...views, ['alice', restored]]))
    expect(() => pending.encodeEntered()).toThrow(refusal('pending-commit-settled'))
  })

  it('is none that a member’s commit begins', async () => {
    const party = await Party.of(names, permissive)
    const pending = await party.group('alice').commit()
    expect(() => pending.encodeEntered()).toThrow(refusal('pending-commit-mismatch'))
    pending.discard()
  })
})

describe('a ReInit', () => {
  it('that was proposed is committed by whoever comes next, if nothing else is to be', async () => {
    const party = await Party.of(names, permissive)
    await party.propose('bob', reInitAs(3))
    await party.commit('carol')
    expect(party.group('alice').public.reInit).toMatchObject({ cipherSuite: 3 })
  })

  it('that was proposed beside something else comes after it, and has to be proposed again', async () => {
    const party = await Party.of(names, permissive)
    const { keyPackage } = await party.keyPackage(await party.person('dave'))
    await party.propose('bob', reInitAs(3))
    await party.propose('carol', add(keyPackage))
    await party.commit('alice')
    expect(party.group('bob').public.reInit).toBeUndefined()
    expect(party.group('bob').members).toHaveLength(4)
  })

  it('comes from outside as well, where the group has external senders', async () => {
    const meeting = await Party.of(['founder'])
    const extensionData = encode(ExternalSenders, [meeting.externalSender])
    const extensions = [{ extensionType: ExtensionType.externalSenders, extensionData }]
    const party = await Party.of(names, { ...permissive, extensions })
    const message = await frameProposal(await epochOf(party.group('alice')), reInitAs(3), {
      sender: { senderType: SenderType.external, senderIndex: 0 },
      signer: meeting.keyserver,
    })
    await party.cache(message)
    await party.commit('bob')
    expect(party.group('alice').public.reInit).toMatchObject({ cipherSuite: 3 })
  })

  it('is left out where the committer has something else in mind', async () => {
    const party = await Party.of(names, permissive)
    const { keyPackage } = await party.keyPackage(await party.person('dave'))
    await party.propose('bob', reInitAs(3))
    await party.commit('alice', [add(keyPackage)])
    expect(party.group('bob').members).toHaveLength(4)
  })

  it('is left out as long as the committer says so', async () => {
    const party = await Party.of(names, permissive)
    await party.propose('bob', reInitAs(3))
    const alice = party.group('alice')
    const without = await alice.commit({ reInit: false })
    expect(without.effect.proposals.all).toEqual([])
    without.discard()
    const withIt = await alice.commit()
    expect(withIt.effect.proposals.reInit).toMatchObject({ cipherSuite: 3 })
    withIt.discard()
  })

  it('is not made for a version that nobody speaks, nor founded', async () => {
    const { party, old } = await founded(names)
    await commitIn(old, 'alice', [reInitAs(1, { version: 2 })])
    const joining = invite(party, 'bob', ['alice', 'carol'], 1, (continuing) =>
      viewIn(old, 'bob').reInit(party.environment, continuing),
    )
    await expect(joining).rejects.toEqual(refusal('continuation-mismatch'))
  })

  it('to a suite that we do not have cannot be founded', async () => {
    const { party, old } = await founded(names)
    await commitIn(old, 'alice', [reInitAs(99)])
    const joining = invite(party, 'bob', ['alice', 'carol'], 1, (continuing) =>
      viewIn(old, 'bob').reInit(party.environment, continuing),
    )
    await expect(joining).rejects.toEqual(refusal('suite-unsupported'))
  })

  it('is what a group must have had before it is founded anew', async () => {
    const { party, old } = await founded(names)
    const joining = invite(party, 'bob', ['alice', 'carol'], 1, (continuing) =>
      viewIn(old, 'bob').reInit(party.environment, continuing),
    )
    await expect(joining).rejects.toEqual(refusal('continuation-mismatch'))
  })

  it('is not founded without a member of the old group, which stays as it was', async () => {
    const { party, old } = await reInitialised()
    const group = viewIn(old, 'bob')
    const before = viewOf(group)
    const joining = invite(party, 'bob', ['alice'], 3, (continuing) =>
      group.reInit(party.environment, continuing),
    )
    await expect(joining).rejects.toEqual(refusal('continuation-members-differ'))
    expect(viewOf(group)).toEqual(before)
    const complete = await invite(party, 'bob', ['alice', 'carol'], 3, (continuing) =>
      group.reInit(party.environment, continuing),
    )
    expectAgreement(await enterAll(party, old, 'bob', complete))
  })

  it('is not founded with KeyPackages of another suite than was agreed upon', async () => {
    const { party, old } = await reInitialised()
    const { keyPackage } = await bundleOf(party, 'alice', 1)
    const joining = viewIn(old, 'bob').reInit(party.environment, {
      own: await leafOf(party, 'bob', 3),
      lifetime: party.lifetime(),
      keyPackages: [keyPackage],
    })
    await expect(joining).rejects.toEqual(refusal('key-package-suite-mismatch'))
  })
})

describe('a branch', () => {
  const parameters = { groupId: utf8('aside'), extensions: [] }

  it.each([[['bob']], [['bob', 'carol']]])(
    'of alice with %s is theirs alone, beside the old group',
    async (others) => {
      const { party, old } = await founded(names)
      const invitation = await invite(party, 'alice', others, 1, (continuing) =>
        viewIn(old, 'alice').branch(party.environment, { ...continuing, ...parameters }),
      )
      const views = await enterAll(party, old, 'alice', invitation)
      expectAgreement(views)
      expect(viewIn(views, 'bob')).toMatchObject({ epoch: 1n })
      await expectHeard(views)
      await commitIn(views, 'bob', [])
      expectAgreement(views)
      await commitIn(old, 'carol', [])
      expectAgreement(old)
      await expectHeard(old)
    },
  )

  it('grows like any other group once it is there', async () => {
    const { party, old } = await founded(names)
    const invitation = await invite(party, 'alice', ['bob'], 1, (continuing) =>
      viewIn(old, 'alice').branch(party.environment, { ...continuing, ...parameters }),
    )
    const views = await enterAll(party, old, 'alice', invitation)
    const { keyPackage } = await bundleOf(party, 'dave', 1)
    await commitIn(views, 'bob', [add(keyPackage)])
    expect(viewIn(views, 'alice').members).toHaveLength(3)
  })

  it('takes nobody along who is not in the old group', async () => {
    const { party, old } = await founded(names)
    const group = viewIn(old, 'alice')
    const before = viewOf(group)
    const joining = invite(party, 'alice', ['bob', 'dave'], 1, (continuing) =>
      group.branch(party.environment, { ...continuing, ...parameters }),
    )
    await expect(joining).rejects.toEqual(refusal('continuation-members-differ'))
    expect(viewOf(group)).toEqual(before)
  })

  it('can be entered by who has gone on in the old group, while it keeps the key', async () => {
    const { party, old } = await founded(names)
    const invitation = await invite(party, 'alice', ['bob'], 1, (continuing) =>
      viewIn(old, 'alice').branch(party.environment, { ...continuing, ...parameters }),
    )
    for (let epochs = 0; epochs < 3; epochs++) await commitIn(old, 'carol', [])
    expectAgreement(await enterAll(party, old, 'alice', invitation))

    const late = await invite(party, 'alice', ['bob'], 1, (continuing) =>
      viewIn(old, 'alice').branch(party.environment, { ...continuing, ...parameters }),
    )
    for (let epochs = 0; epochs < 4; epochs++) await commitIn(old, 'carol', [])
    await expect(enterAll(party, old, 'alice', late)).rejects.toEqual(
      refusal('welcome-psk-invalid'),
    )
  })

  it('that came to nothing leaves the old group as it was', async () => {
    const { party, old } = await founded(names)
    const group = viewIn(old, 'alice')
    const before = viewOf(group)
    const { pending } = await invite(party, 'alice', ['bob'], 1, (continuing) =>
      group.branch(party.environment, { ...continuing, ...parameters }),
    )
    pending.discard()
    expect(viewOf(group)).toEqual(before)
    await expectHeard(old)
  })

  it('is confirmed by entering it, not in the old group', async () => {
    const { party, old } = await founded(names)
    const group = viewIn(old, 'alice')
    const { pending } = await invite(party, 'alice', ['bob'], 1, (continuing) =>
      group.branch(party.environment, { ...continuing, ...parameters }),
    )
    expect(() => group.confirm(pending)).toThrow(refusal('group-superseded') as Error)
    expect(Group.enter(pending).epoch).toBe(1n)
    const ordinary = await group.commit()
    expect(() => Group.enter(ordinary)).toThrow(refusal('group-superseded') as Error)
  })
})
