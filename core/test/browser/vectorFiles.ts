import type { VectorFile } from '../vectorFiles.ts'
import { vectorPath } from './vectorPath.ts'

export type { VectorFile }

/** What `../vectorFiles.ts` does under Node, asked of the server that serves the tests. */
export function readVectorFile(name: string): VectorFile {
  const request = new XMLHttpRequest()
  // Synchronous, since tests are declared synchronously.
  request.open('GET', `${vectorPath}/${name}`, false)
  request.send()
  if (request.status !== 200) throw new Error(`${name}: status ${request.status}`)
  return JSON.parse(request.responseText)
}
