import { describeTroubles, type Troubles } from './mediaTrouble.ts'

/**
 * Why somebody cannot be seen or heard. It is there, empty, also where all is well: a screen reader
 * announces what changes in it.
 */
export function TileTrouble({ troubles }: { readonly troubles: Troubles }) {
  return (
    <div class="tile-trouble" role="status" data-testid="tile-trouble">
      {describeTroubles(troubles).map((text) => (
        <p key={text}>{text}</p>
      ))}
    </div>
  )
}
