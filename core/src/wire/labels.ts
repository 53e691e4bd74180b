import { opaque, struct, uint16, uint32 } from '../codec/tls.ts'
import { PreSharedKeyId } from './proposal.ts'

/*
 * The structs that primitives are keyed with. Each label reaches them as "MLS 1.0 " + label.
 *
 * RFC 9420 §5.1.2
 * struct { opaque label<V>; opaque content<V>; } SignContent;
 *
 * §5.1.3
 * struct { opaque label<V>; opaque context<V>; } EncryptContext;
 *
 * §5.2
 * struct { opaque label<V>; opaque value<V>; } RefHashInput;
 *
 * §8
 * struct { uint16 length; opaque label<V>; opaque context<V>; } KDFLabel;
 *
 * §8.4
 * struct { PreSharedKeyID id; uint16 index; uint16 count; } PSKLabel;
 *
 * §9
 * struct { uint32 generation; } — the context of DeriveTreeSecret
 */
export const SignContent = struct({ label: opaque(), content: opaque() })
export const EncryptContext = struct({ label: opaque(), context: opaque() })
export const RefHashInput = struct({ label: opaque(), value: opaque() })
export const KdfLabel = struct({ length: uint16, label: opaque(), context: opaque() })
export const PskLabel = struct({ id: PreSharedKeyId, index: uint16, count: uint16 })
export const TreeSecretContext = struct({ generation: uint32 })
