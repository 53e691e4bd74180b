import { runMain } from './setupError.mjs'
import { build, layers, lint } from './steps.mjs'
import { verify } from './verification.mjs'

/**
 * `npm test`: installs what tests need, then builds, lints, checks the layers and runs every test.
 * `npm test -- <arguments>` passes them to Vitest and only builds first.
 */
const vitestArgs = process.argv.slice(2)

await runMain(() => verify(vitestArgs.length > 0 ? [build] : [build, lint, layers], vitestArgs))
