import { eventually } from './eventually.ts'
import { RedisServer, type RedisSettings } from './redisServer.ts'

const slots = 16_384

/** Nodes of one Redis Cluster on this machine, each with its part of the slots and no replica. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[]

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  static async start(size = 3, more: RedisSettings = {}): Promise<RedisCluster> {
    const settings = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000', ...more }
    const nodes = await Promise.all(Array.from({ length: size }, () => RedisServer.start(settings)))
    const cluster = new RedisCluster(nodes)
    try {
      await cluster.#join()
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url)
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop()
  }

  async #join(): Promise<void> {
    const { nodes } = this
    const first = (node: number) => Math.floor((slots * node) / nodes.length)
    for (const [i, node] of nodes.entries()) {
      await node.command('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
      const range = [String(first(i)), String(first(i + 1) - 1)]
      await node.command('CLUSTER', 'ADDSLOTSRANGE', ...range)
    }
    for (const { port } of nodes.slice(1)) {
      await nodes[0]?.command('CLUSTER', 'MEET', '127.0.0.1', String(port))
    }
    for (const node of nodes) {
      await eventually('the cluster', async () => {
        const info = String(await node.command('CLUSTER', 'INFO'))
        return (
          info.includes('cluster_state:ok') &&
          info.includes(`cluster_known_nodes:${nodes.length}`) &&
          info.includes(`cluster_slots_assigned:${slots}`)
        )
      })
    }
  }
}
