import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Bytes } from '../../src/codec/bytes.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import { Party } from './party.ts'
import { refusal } from './refusals.ts'

const many = Array.from({ length: 40 }, (_, i) => `member ${i}`)

function partyOf(count: number): Promise<Party> {
  return Party.of(many.slice(0, count), { policy: permissivePolicy, extensions: [] })
}

function stored(tree: PublicTree): { readonly pages: readonly Bytes[]; readonly spine: Bytes } {
  const { pages, spine } = tree.paged()
  return { pages: pages.map((page) => page.encoded()), spine: spine() }
}

describe('a tree in pages', () => {
  it.each([1, 2, 8, 9, 16, 17, 40])('of %i members is put together again', async (count) => {
    const { tree } = (await partyOf(count)).group('member 0').public
    const { pages, spine } = stored(tree)
    expect(PublicTree.fromPages(pages, spine).encoded()).toEqual(tree.encoded())
    expect(pages).toHaveLength(Math.max(1, tree.leafCount / 8))
  })

  it('has the same pages after a commit but for those that it changes', async () => {
    const party = await partyOf(40)
    const before = party.group('member 0').public.tree.paged().pages
    await party.commit('member 9')
    const after = party.group('member 0').public.tree.paged().pages
    const changed = after.flatMap(({ nodes }, i) => (nodes === before[i]?.nodes ? [] : [i]))
    expect(changed).toEqual([1])
  })

  it('is refused where a page is missing, another’s or damaged', async () => {
    const { tree } = (await partyOf(20)).group('member 0').public
    const { pages, spine } = stored(tree)
    expect(() => PublicTree.fromPages(pages.slice(1), spine)).toThrow(refusal('tree-malformed'))
    expect(() => PublicTree.fromPages([...pages, ...pages], spine)).toThrow(
      refusal('tree-malformed'),
    )
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (page, cut) => {
        const damaged = pages.map((whole, i) =>
          i === page % pages.length ? whole.subarray(0, cut % whole.length) : whole,
        )
        expect(() => PublicTree.fromPages(damaged, spine)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^(codec|tree)-/) }),
        )
      }),
    )
  })
})

describe('a state without its tree', () => {
  it('is restored with that tree, and with no other', async () => {
    const party = await partyOf(12)
    const group = party.group('member 3')
    const { signer } = party.at('member 3').person.own
    const state = group.encodeState({ tree: false }).expose()
    expect(state.length).toBeLessThan(group.encodeState().expose().length / 2)
    const { pages, spine } = stored(group.public.tree)
    const tree = PublicTree.fromPages(pages, spine)
    const restored = Group.restore(party.environment, state, signer, tree)
    expect(restored.encodeState().expose()).toEqual(group.encodeState().expose())
    expect(() => Group.restore(party.environment, state, signer)).toThrow(
      refusal('state-malformed'),
    )
    const { tree: other } = (await partyOf(13)).group('member 3').public
    expect(() => Group.restore(party.environment, state, signer, other)).toThrow(
      refusal('state-malformed'),
    )
  })
})
