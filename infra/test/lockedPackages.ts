/** What is read of package-lock.json. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

interface LockedPackage {
  readonly link?: boolean
  readonly resolved?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/**
 * The folders that `npm ci --omit=dev --workspace <name>` fills, each the key of a locked package.
 * Among them are links to workspaces and those workspaces themselves, and packages for other
 * platforms, which npm leaves out.
 */
export function lockedPackages({ packages }: Lock, workspace: string): Set<string> {
  const found = new Set<string>()
  const waiting = [`node_modules/${workspace}`]
  for (const key of waiting) {
    const entry = packages[key]
    if (entry === undefined || found.has(key)) continue
    found.add(key)
    if (entry.link === true) {
      waiting.push(entry.resolved ?? '')
      continue
    }
    const names = Object.keys({
      ...entry.peerDependencies,
      ...entry.optionalDependencies,
      ...entry.dependencies,
    })
    for (const name of names) {
      const nearest = foldersAbove(key)
        .map((folder) => `${folder}node_modules/${name}`)
        .find((place) => place in packages)
      if (nearest !== undefined) waiting.push(nearest)
    }
  }
  return found
}

/** Where Node looks for what a package imports, nearest first. */
function foldersAbove(key: string): string[] {
  const parts = key.split('/')
  return parts.map((_, index) => `${parts.slice(0, parts.length - index).join('/')}/`).concat('')
}
