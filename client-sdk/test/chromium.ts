import { type Browser, chromium } from 'playwright-core'

/** The system's Chromium with a camera of `fps` frames a second and a microphone that beeps. */
export function launchChromium({ fps }: { readonly fps: number }): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-ui-for-media-stream',
      `--use-fake-device-for-media-stream=fps=${fps}`,
      '--allow-loopback-in-peer-connection',
      '--autoplay-policy=no-user-gesture-required',
      '--disable-features=WebRtcHideLocalIpsWithMdns',
    ],
  })
}
