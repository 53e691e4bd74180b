import type { RequestName, ServerNotices } from '@conclave/core/delivery'
import { wellFormed } from '../../../keyserver/test/support/requests.ts'
import { type Check, NotConforming, same } from '../check.ts'
import { groupFields, noticeFields, refusalFields, replyFields } from '../protocolFields.ts'

type Fields = Readonly<Record<string, unknown>>

function hasOnly(what: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).filter((field) => !known.includes(field))
  if (unknown.length > 0) throw new NotConforming(what, `fields of ${known.join(', ')}`, unknown)
}

function checkReply(name: RequestName, reply: unknown): void {
  const fields = reply as Fields
  const { ok, group } = fields
  hasOnly(name, fields, ['ok', ...(ok === true ? replyFields[name] : refusalFields)])
  if (typeof group === 'object' && group !== null) hasOnly(`${name}: group`, group, groupFields)
}

function checkNotice(name: string, args: readonly unknown[]): void {
  const known: Readonly<Partial<Record<string, readonly string[]>>> = noticeFields
  const fields = known[name]
  if (fields === undefined) throw new NotConforming('a notice', Object.keys(noticeFields), name)
  same(`arguments of ${name}`, args.length, 1)
  hasOnly(name, args[0] as object, fields)
  const { entry } = args[0] as ServerNotices['entry']
  if (name === 'entry') hasOnly('entry: entry', entry, ['seq', 'message'])
}

export const replies: readonly Check[] = [
  {
    id: 'replies.fields',
    promise: 'replies and notices say what the protocol declares, and nothing else',
    section: 'Requests',
    run: async (site) => {
      const faults: unknown[] = []
      const noticed = (name: string, ...args: unknown[]) => {
        try {
          checkNotice(name, args)
        } catch (fault) {
          faults.push(fault)
        }
      }
      const raw = async (name: RequestName, request: object) =>
        checkReply(name, await client.send(name, request))
      const [alice, bob] = await site.pair()
      for (const { client } of [alice, bob]) client.socket.onAny(noticed)
      const { groupId } = alice
      const client = await site.connect(site.identity('alice'))
      client.socket.onAny(noticed)
      const { meetingId } = site
      await raw('enter', { ...wellFormed.enter, meetingId })
      await raw('enter', { ...wellFormed.enter, meetingId })
      await raw('create', await (await site.arrive('mallory')).prepareFounding())
      await raw('resume', { groupId, after: 0 })
      const carol = await site.arrive('carol')
      const { bundle, encoded } = await carol.keyPackage()
      carol.client.socket.onAny(noticed)
      await raw('wait', { groupId, keyPackage: (await carol.keyPackage()).encoded })
      await carol.client.ask('wait', { groupId, keyPackage: encoded })
      const { upload } = await bob.prepareCommit()
      await alice.admit(2)
      await carol.join(bundle)
      await raw('commit', upload)
      await raw('tree', { groupId, treeHash: alice.group.groupContext.treeHash })
      await raw('propose', { groupId, message: await alice.group.proposeUpdate() })
      await alice.resume()
      const made = await alice.prepareCommit()
      await raw('commit', made.upload)
      await raw('attach', { groupId, leafIndex: 0, signature: new Uint8Array(64) })
      await bob.receiveUpTo(alice.seen + 1)
      if (faults.length > 0) throw faults[0]
    },
  },
]
