/**
 * Columns as wide as what is in them. Identities and meeting ids come from clients: what a terminal
 * would take as a command is shown as a replacement character.
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => printable(String(cell))))]
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((line) => String(line[column] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Without control and format characters. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '\u{fffd}')
}
