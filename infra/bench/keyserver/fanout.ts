import { ask } from './clients.ts'
import type { Crowd } from './crowd.ts'
import type { Upload } from './preparedGroup.ts'
import { percentile, type Row, rowOf } from './samples.ts'
import type { Stage } from './stage.ts'

const percents = [50, 95, 99] as const

/**
 * How long a commit takes to each of the members, from the moment when the log has it; the floor
 * broadcasts the same bytes to as many.
 */
export async function measureFanout(
  { keyserver }: Stage,
  crowd: Crowd,
  kind: string,
  uploads: readonly Upload[],
): Promise<readonly Row[]> {
  const { members, bare } = crowd
  const rounds: { ours: readonly number[]; bare: readonly number[] }[] = []
  for (const upload of uploads) {
    const received = members.nextReceipts()
    await ask(members.committer, 'commit', upload)
    const receipts = await received
    const appended = await keyserver.ask('lastAppended')
    crowd.head += 1

    const bareReceived = bare.nextReceipts()
    const { at } = await bare.committer.emitWithAck('broadcast', upload)
    const bareReceipts = await bareReceived
    rounds.push({
      ours: receipts.map((time) => time - appended),
      bare: bareReceipts.map((time) => time - at),
    })
  }
  // The first is for the compilers.
  const counted = rounds.slice(1)
  const bytes = uploads[0]?.message.length ?? 0
  return percents.map((percent) =>
    rowOf(
      {
        op: `fanout.p${percent}`,
        n: members.sockets.length,
        case: `${kind}, ${bytes} bytes`,
        unit: 'ms',
      },
      {
        ours: counted.map(({ ours }) => percentile(ours, percent)),
        bare: counted.map(({ bare }) => percentile(bare, percent)),
      },
    ),
  )
}
