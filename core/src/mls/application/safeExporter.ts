import type { Bytes } from '../../codec/bytes.ts'
import { decode, encode } from '../../codec/tls.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { NodeSecrets } from '../treedem/nodeSecrets.ts'
import { checkNodeSecrets, nodeSecrets } from '../treedem/secretTreeState.ts'
import { root } from '../treeMath.ts'

/** One leaf for each ComponentID. */
const leafCount = 2 ** 16

/**
 * draft-ietf-mls-extensions, "Exported Secrets": one epoch's Exporter Tree. Each component's secret
 * can be had once; from what is left afterwards it cannot be derived again.
 */
export class SafeExporter {
  readonly #crypto: SecretSuite
  readonly #nodes: NodeSecrets

  private constructor(crypto: SecretSuite, nodes: NodeSecrets) {
    this.#crypto = crypto
    this.#nodes = nodes
  }

  /** Takes ownership of the epoch's `application_export_secret`. */
  static create(crypto: SecretSuite, applicationExportSecret: Secret): SafeExporter {
    const nodes = [{ node: root(leafCount), secret: applicationExportSecret }]
    return new SafeExporter(crypto, new NodeSecrets(crypto, leafCount, nodes))
  }

  /**
   * What `encodeState` was called on.
   * @throws CodecError, or MlsError `state-malformed`
   */
  static restore(crypto: SecretSuite, state: Bytes): SafeExporter {
    const nodes = decode(nodeSecrets(crypto.suite.Nh), state)
    checkNodeSecrets(nodes, leafCount)
    return new SafeExporter(crypto, new NodeSecrets(crypto, leafCount, nodes))
  }

  /**
   * SafeExportSecret(ComponentID), KDF.Nh bytes that are the caller's.
   * @throws MlsError `component-secret-consumed` the second time, and for what is no ComponentID
   */
  exportSecret(componentId: number): Secret {
    const descent = Number.isInteger(componentId)
      ? this.#nodes.descend(componentId as LeafIndex)
      : undefined
    const secret = descent && this.#nodes.consume(descent)
    if (secret === undefined) {
      throw new MlsError('component-secret-consumed', `no secret left for ${componentId}`)
    }
    return secret
  }

  /** `NodeSecret nodes<V>`, as in the state of a secret tree. */
  encodeState(): Secret {
    return new Secret(encode(nodeSecrets(this.#crypto.suite.Nh), this.#nodes.nodes))
  }

  /** Wipes what is left; nothing can be exported afterwards. */
  wipe(): void {
    this.#nodes.wipe()
  }
}
