import { type Infer, opaque, struct, uint16, variant, vector } from '../codec/tls.ts'
import { CredentialType } from './registry.ts'

/*
 * RFC 9420 §5.3
 *
 * struct {
 *     opaque cert_data<V>;
 * } Certificate;
 *
 * struct {
 *     CredentialType credential_type;
 *     select (Credential.credential_type) {
 *         case basic: opaque identity<V>;
 *         case x509:  Certificate certificates<V>;
 *     };
 * } Credential;
 */
const Certificate = struct({ certData: opaque() })

export const Credential = variant('credentialType', uint16, {
  [CredentialType.basic]: struct({ identity: opaque() }),
  [CredentialType.x509]: struct({ certificates: vector(Certificate) }),
})
export type Credential = Infer<typeof Credential>
