import { runMain } from './setupError.mjs'
import { allChecks } from './steps.mjs'
import { verify } from './verification.mjs'

/** `npm run verify`: everything that must hold before a change is merged. */
await runMain(() => verify(allChecks))
