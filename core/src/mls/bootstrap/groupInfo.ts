import { encode } from '../../codec/tls.ts'
import { type Signer, signWithLabel } from '../../crypto/secret/sign.ts'
import { type GroupInfo, GroupInfoTbs } from '../../wire/welcome.ts'
import { groupInfoLabel } from '../public/groupInfo.ts'

/** RFC 9420 §12.4.3 */
export async function signGroupInfo(signer: Signer, content: GroupInfoTbs): Promise<GroupInfo> {
  const signature = await signWithLabel(signer, groupInfoLabel, encode(GroupInfoTbs, content))
  return { ...content, signature }
}
