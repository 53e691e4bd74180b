import { type Bytes, encode } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import {
  CONCLAVE_KID_LAYOUT,
  DIGEST_LENGTH,
  DigestList,
  encodeContext,
  encodeKid,
} from '@conclave/core/sframe'
import { beforeEach, describe, expect, it } from 'vitest'
import { EpochListSignatures } from '../../src/session/listSignatures.ts'
import { envelope, Gathering } from './support/people.ts'

interface Named {
  readonly epoch: bigint
  readonly leaf: number
  readonly kidEpoch?: bigint
  readonly isListed?: boolean
}

/** A list of one frame of that leaf's camera. */
function listOf({ epoch, leaf, kidEpoch = epoch, isListed = true }: Named): Bytes {
  const context = encodeContext({ source: 'camera', incarnation: 0, isListed })
  return encode(DigestList, {
    epoch,
    kid: encodeKid(CONCLAVE_KID_LAYOUT, { context, leaf, epoch: kidEpoch }),
    layer: 0,
    layers: Uint8Array.of(0),
    first: 7n,
    frames: [{ step: 0, digest: new Uint8Array(DIGEST_LENGTH) }],
  })
}

/** What each member signs and judges with, in the group that it has now. */
class Pages {
  readonly gathering: Gathering
  readonly pages: readonly EpochListSignatures[]

  constructor(gathering: Gathering) {
    this.gathering = gathering
    this.pages = gathering.groups.map(
      (_, i) => new EpochListSignatures(() => this.gathering.groups[i]),
    )
    this.began()
  }

  began(): void {
    for (const [i, page] of this.pages.entries()) page.epochBegan(this.group(i))
  }

  group(i: number): Group {
    return this.gathering.group(i)
  }

  page(i: number): EpochListSignatures {
    const page = this.pages[i]
    if (page === undefined) throw new RangeError(`no member ${i}`)
    return page
  }

  /** The second commits, and the others take it in. */
  async nextEpoch(): Promise<void> {
    const pending = await this.group(1).commit({ authenticatedData: envelope(1) })
    const groups: Group[] = []
    for (const [i, group] of this.gathering.groups.entries()) {
      if (i === 1) {
        groups.push(group.confirm(pending))
        continue
      }
      const received = await group.receive(pending.message)
      if (received.kind !== 'commit') throw new Error(received.kind)
      groups.push(received.group)
    }
    this.gathering.groups = groups
    this.began()
  }
}

describe('lists of digests', () => {
  let pages: Pages
  let epoch: bigint

  beforeEach(async () => {
    pages = new Pages(await Gathering.of(3))
    epoch = pages.group(0).epoch
  })

  const own = () => listOf({ epoch, leaf: pages.group(1).leafIndex })

  it('are signed by the page of their leaf, and judged by the others', async () => {
    const list = own()
    const signature = (await pages.page(1).sign(list)) as Bytes
    expect(await pages.page(2).judge({ list, signature })).toBe('valid')
    const changed = list.slice()
    changed[changed.length - 1] = 1
    expect(await pages.page(2).judge({ list: changed, signature })).toBe('invalid')
  })

  it('are judged by the leaf that they name, whoever signed them', async () => {
    const list = own()
    const signature = (await pages.page(1).sign(list)) as Bytes
    const leaf = pages.group(0).leafIndex
    const anothers = listOf({ epoch, leaf })
    expect(await pages.page(2).judge({ list: anothers, signature })).toBe('invalid')
    const nobodys = listOf({ epoch, leaf: 900 })
    expect(await pages.page(2).judge({ list: nobodys, signature })).toBe('unknown-signer')
    expect(await pages.page(2).judge({ list: new Uint8Array(9), signature })).toBe('invalid')
  })

  it('are not signed where they are of another leaf, epoch or kind, or no lists', async () => {
    const leaf = pages.group(1).leafIndex
    const refused = [
      listOf({ epoch, leaf: pages.group(0).leafIndex }),
      listOf({ epoch: epoch + 1n, leaf }),
      listOf({ epoch: epoch + 256n, leaf }),
      listOf({ epoch, leaf, kidEpoch: epoch + 1n }),
      listOf({ epoch, leaf, isListed: false }),
      new Uint8Array(40),
    ]
    for (const list of refused) expect(await pages.page(1).sign(list)).toBeUndefined()
  })

  it('of an epoch that is over are signed and judged in those that follow', async () => {
    const list = own()
    await pages.nextEpoch()
    const signature = (await pages.page(1).sign(list)) as Bytes
    expect(await pages.page(2).judge({ list, signature })).toBe('valid')
  })

  it('are forgotten with their epoch when many have followed', async () => {
    const list = own()
    const signature = (await pages.page(1).sign(list)) as Bytes
    for (let i = 0; i < 64; i++) await pages.nextEpoch()
    expect(await pages.page(2).judge({ list, signature })).toBe('unknown-signer')
    expect(await pages.page(1).sign(list)).toBeUndefined()
  })

  it('are of one group: in another one the same list has another signature', async () => {
    const list = own()
    const signature = (await pages.page(1).sign(list)) as Bytes
    const other = new Pages(await Gathering.of(3))
    expect(await other.page(2).judge({ list, signature })).toBe('invalid')
    pages.page(2).continued(other.group(2))
    expect(await pages.page(2).judge({ list, signature })).toBe('invalid')
  })
})
