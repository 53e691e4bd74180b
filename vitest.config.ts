import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

// Workspace packages run from their sources: a test never sees a stale build.
const source = 'conclave:source'

const packages = ['core', 'client-sdk', 'keyserver', 'sfu', 'infra', 'examples/meeting']

export default defineConfig({
  resolve: { conditions: [source, ...defaultClientConditions] },
  ssr: {
    resolve: {
      conditions: [source, ...defaultServerConditions],
      externalConditions: [source, 'node'],
    },
  },
  test: {
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
        },
      })),
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['{client-sdk,examples/*}/test/**/*.browser.test.ts'],
          // Video that is encoded and decoded in software needs the machine for itself.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
