import { availableParallelism } from 'node:os'
import { playwright } from '@vitest/browser-playwright'
import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { vectorServer } from './core/test/browser/vectorServer.ts'
import { bundledCore } from './infra/checks/bundledCore.mjs'
import { chromium, findProgram } from './infra/entry/programs.mjs'

// Workspace packages run from their sources: a test never sees a stale build.
const source = 'conclave:source'

const packages = ['core', 'client-sdk', 'keyserver', 'sfu', 'infra', 'examples/meeting']

// Vitest would leave a core free. Of two that is one too much: many tests wait for Redis and other
// processes.
const maxWorkers = Math.max(2, availableParallelism() - 1)

export default defineConfig({
  resolve: { conditions: [source, ...defaultClientConditions] },
  ssr: {
    resolve: {
      conditions: [source, ...defaultServerConditions],
      externalConditions: [source, 'node'],
    },
  },
  test: {
    // Tests that say they can go beside each other each keep a core busy.
    maxConcurrency: availableParallelism(),
    globalSetup: ['infra/entry/vitestSetup.mjs'],
    projects: [
      ...packages.map((folder) => ({
        extends: true as const,
        test: {
          name: folder,
          include: [`${folder}/test/**/*.test.ts`],
          exclude: ['**/*.browser.test.ts'],
          // A ceiling for a loaded machine with two cores, not an expectation.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers,
        },
      })),
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['{client-sdk,infra,examples/*}/test/**/*.browser.test.ts'],
          // Video that is encoded and decoded in software needs the machine for itself.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        plugins: [vectorServer(), bundledCore()],
        test: {
          name: 'core in Chromium',
          include: ['core/test/**/*.vectors.test.ts', 'core/test/browser/*.browser.test.ts'],
          sequence: { groupOrder: 2 },
          testTimeout: 60_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: findProgram(chromium) ?? '/usr/bin/chromium',
                args: ['--no-sandbox', '--disable-gpu'],
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
})
