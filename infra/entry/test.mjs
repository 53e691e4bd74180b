import { runMain } from './setupError.mjs'
import { allChecks, build } from './steps.mjs'
import { verify } from './verification.mjs'

/**
 * `npm test`: installs what tests need, then does what `npm run verify` does, so that continuous
 * integration finds the same. `npm test -- <arguments>` passes them to Vitest and only builds first.
 */
const vitestArgs = process.argv.slice(2)

await runMain(() => verify(vitestArgs.length > 0 ? [build] : allChecks, vitestArgs))
