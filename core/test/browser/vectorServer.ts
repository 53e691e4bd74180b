import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { readVectorFile } from '../vectorFiles.ts'
import { vectorPath } from './vectorPath.ts'

/**
 * Lets vector tests run in a browser: their server reads the files for them, and modules of this
 * folder stand in for those of the same name that need Node.
 */
export function vectorServer(): Plugin {
  return {
    name: 'conclave-vectors',
    config: () => ({
      resolve: {
        alias: [
          {
            find: /^.*\/vectorFiles[.]ts$/,
            replacement: fileURLToPath(new URL('./vectorFiles.ts', import.meta.url)),
          },
        ],
      },
    }),
    configureServer: ({ middlewares }) => {
      middlewares.use(vectorPath, ({ url = '' }, response, next) => {
        const name = url.slice(1)
        // A name of a file below the folder, and of nothing outside it.
        if (!/^\w+\/[\w-]+[.]json$/.test(name)) return next()
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(readVectorFile(name)))
      })
    },
  }
}
