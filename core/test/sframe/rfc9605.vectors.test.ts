import { webCryptoAead } from '@conclave/core/sframe'
import { describeRfc9605 } from './rfc9605.ts'

describeRfc9605(webCryptoAead(crypto.subtle))
