import type { Bytes } from '../../../src/codec/bytes.ts'
import { decode } from '../../../src/codec/tls.ts'
import { ConclaveError } from '../../../src/error.ts'
import type { Group, PendingCommit } from '../../../src/mls/group/index.ts'
import { PublicGroup } from '../../../src/mls/public/index.ts'
import { type AuthenticatedContent, MlsMessage } from '../../../src/wire/index.ts'
import { WireFormat } from '../../../src/wire/registry.ts'
import { groupInfoIn, welcomeIn } from '../party.ts'

/**
 * Follows a group from outside. Encrypted handshakes it cannot read: after one it has to begin anew
 * from the next GroupInfo.
 */
export class Follower {
  #group: PublicGroup | undefined

  /** Undefined while it has lost sight of the group. */
  get group(): PublicGroup | undefined {
    return this.#group
  }

  async begin(group: Group): Promise<void> {
    const groupInfo = groupInfoIn(await group.groupInfo())
    this.#group = await PublicGroup.open(group.public.environment, groupInfo, group.ratchetTree)
  }

  async propose(message: Bytes): Promise<void> {
    const decoded = decode(MlsMessage, message)
    if (decoded.wireFormat !== WireFormat.publicMessage) {
      this.#group = undefined
      return
    }
    const followed = await this.#group?.withProposal(decoded.publicMessage).catch(refused)
    if (followed !== undefined) this.#group = followed.group
  }

  /** Whether it could follow a commit by what everybody can see of it; else it begins anew. */
  async commit(
    { groupInfo, welcome }: PendingCommit,
    { content, auth, wireFormat }: AuthenticatedContent,
    committed: Group,
  ): Promise<boolean> {
    if (this.#group === undefined || wireFormat !== WireFormat.publicMessage) {
      await this.begin(committed)
      return false
    }
    const { group } = await this.#group.withCommit(
      { content, auth },
      groupInfoIn(groupInfo),
      welcome && welcomeIn(welcome),
    )
    this.#group = group
    return true
  }
}

function refused(error: unknown): undefined {
  if (!(error instanceof ConclaveError)) throw error
}
