import { type Browser, launch } from 'puppeteer-core'

/** Fake devices that nobody is asked for, and sound without a click. */
const preferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
}

/** The system's Firefox: playwright-core drives none but one that was built for it. */
export function launchFirefox(executablePath: string): Promise<Browser> {
  return launch({ browser: 'firefox', executablePath, extraPrefsFirefox: preferences })
}
