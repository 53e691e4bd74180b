import {
  AsnArray,
  AsnIntegerArrayBufferConverter,
  AsnProp,
  AsnPropTypes,
  AsnType,
  AsnTypeTypes,
} from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, Extensions, Name, Time, type Version } from '@peculiar/asn1-x509'

// RFC 5280 §5.1, in the order of the elements. The library has these types too, and forgets
// sequences that are empty: those that @peculiar/x509 makes of each entry's extensions, too.

export class RevokedCertificate {
  userCertificate = new ArrayBuffer(0)
  revocationDate = new Time()
  crlEntryExtensions: Extensions | undefined
}
const integer = { type: AsnPropTypes.Integer, converter: AsnIntegerArrayBufferConverter }
AsnProp(integer)(RevokedCertificate.prototype, 'userCertificate')
AsnProp({ type: Time })(RevokedCertificate.prototype, 'revocationDate')
AsnProp({ type: Extensions, optional: true })(RevokedCertificate.prototype, 'crlEntryExtensions')

class RevokedCertificates extends AsnArray<RevokedCertificate> {}
AsnType({ type: AsnTypeTypes.Sequence, itemType: RevokedCertificate })(RevokedCertificates)

class TbsCertList {
  version: Version | undefined
  signature = new AlgorithmIdentifier()
  issuer = new Name()
  thisUpdate = new Time()
  nextUpdate: Time | undefined
  revokedCertificates: RevokedCertificates | undefined
  crlExtensions: Extensions | undefined
}
AsnProp({ type: AsnPropTypes.Integer, optional: true })(TbsCertList.prototype, 'version')
AsnProp({ type: AlgorithmIdentifier })(TbsCertList.prototype, 'signature')
AsnProp({ type: Name })(TbsCertList.prototype, 'issuer')
AsnProp({ type: Time })(TbsCertList.prototype, 'thisUpdate')
AsnProp({ type: Time, optional: true })(TbsCertList.prototype, 'nextUpdate')
const revoked = { type: RevokedCertificates, optional: true }
AsnProp(revoked)(TbsCertList.prototype, 'revokedCertificates')
AsnProp({ type: Extensions, context: 0, optional: true })(TbsCertList.prototype, 'crlExtensions')

export class CertificateList {
  tbsCertList = new TbsCertList()
  tbsCertListRaw: ArrayBuffer | undefined
  signatureAlgorithm = new AlgorithmIdentifier()
  signature = new ArrayBuffer(0)
}
AsnProp({ type: TbsCertList, raw: true })(CertificateList.prototype, 'tbsCertList')
AsnProp({ type: AlgorithmIdentifier })(CertificateList.prototype, 'signatureAlgorithm')
AsnProp({ type: AsnPropTypes.BitString })(CertificateList.prototype, 'signature')
