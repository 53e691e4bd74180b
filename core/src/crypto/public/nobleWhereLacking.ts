/**
 * What the platform makes of `native`, or of `portable` where it has no such algorithm: `native` is
 * false when no platform has it, and WebCrypto says NotSupportedError when this one has not.
 */
export async function nobleWhereLacking<T>(
  native: (() => Promise<T>) | false,
  portable: () => T | Promise<T>,
): Promise<T> {
  if (native === false) return portable()
  try {
    return await native()
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'NotSupportedError') return portable()
    throw cause
  }
}
