/** What the page's address says: `?meeting=…&name=…&authenticate#token=…`. */
export interface PageAddress {
  readonly meeting: string
  readonly name: string
  readonly token: string | undefined
  /** Whether what we send is signed, so that nobody else in the meeting can send it as ours. */
  readonly authenticate: boolean
}

/** Reads the address, and takes the token out of it: it must not be in a link that is passed on. */
export function readAddress(): PageAddress {
  const { search, hash, pathname } = location
  const query = new URLSearchParams(search)
  const token = new URLSearchParams(hash.slice(1)).get('token') ?? undefined
  if (token !== undefined) history.replaceState(null, '', pathname + search)
  return {
    meeting: query.get('meeting') ?? '',
    name: query.get('name') ?? '',
    token,
    authenticate: query.has('authenticate'),
  }
}

/** Makes a reload come back to the same meeting. */
export function writeAddress({ meeting, name, authenticate }: Omit<PageAddress, 'token'>): void {
  const query = new URLSearchParams({ meeting, name, ...(authenticate && { authenticate: '' }) })
  history.replaceState(null, '', `${location.pathname}?${query}`)
}

/** What to send to others. */
export function inviteLink(meeting: string): string {
  const link = new URL(location.pathname, location.href)
  link.searchParams.set('meeting', meeting)
  return link.href
}
