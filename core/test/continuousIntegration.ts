/** There, what tests lack is an error and no reason to skip. */
export function isContinuousIntegration(): boolean {
  return !['', '0', 'false'].includes(process.env['CI'] ?? '')
}
