import { type Infer, opaque, struct, uint16, vector } from '../codec/tls.ts'
import { Credential } from './credential.ts'

/*
 * RFC 9420 §13
 *
 * struct {
 *     ExtensionType extension_type;
 *     opaque extension_data<V>;
 * } Extension;
 */
export const Extension = struct({ extensionType: uint16, extensionData: opaque() })
export type Extension = Infer<typeof Extension>

export const Extensions = vector(Extension)
export type Extensions = Infer<typeof Extensions>

/*
 * §11.1
 *
 * struct {
 *     ExtensionType extension_types<V>;
 *     ProposalType proposal_types<V>;
 *     CredentialType credential_types<V>;
 * } RequiredCapabilities;
 */
export const RequiredCapabilities = struct({
  extensionTypes: vector(uint16),
  proposalTypes: vector(uint16),
  credentialTypes: vector(uint16),
})
export type RequiredCapabilities = Infer<typeof RequiredCapabilities>

/*
 * §12.1.8.1
 *
 * struct {
 *     SignaturePublicKey signature_key;
 *     Credential credential;
 * } ExternalSender;
 *
 * ExternalSender external_senders<V>;
 */
export const ExternalSender = struct({ signatureKey: opaque(), credential: Credential })
export type ExternalSender = Infer<typeof ExternalSender>

export const ExternalSenders = vector(ExternalSender)
export type ExternalSenders = Infer<typeof ExternalSenders>

/*
 * §12.4.3.2
 *
 * struct {
 *     HPKEPublicKey external_pub;
 * } ExternalPub;
 */
export const ExternalPub = struct({ externalPub: opaque() })
export type ExternalPub = Infer<typeof ExternalPub>
