import { bundle, mlsForBrowsers } from './bundle.mjs'

/**
 * Lets a test in a browser import core as an application ships it: bundled and minified, with the
 * libraries that it needs.
 *
 * @returns {import('vite').Plugin}
 */
export function bundledCore() {
  const name = 'virtual:bundled-core'
  return {
    name: 'conclave-bundled-core',
    resolveId: (id) => (id === name ? `\0${name}` : undefined),
    load: async (id) => {
      if (id !== `\0${name}`) return undefined
      return (await bundle(mlsForBrowsers, { minify: true, external: [] })).code
    },
  }
}
