import { defineConfig } from 'vite'

export default defineConfig({
  root: 'src/page',
  logLevel: 'warn',
  build: {
    outDir: '../../dist/page',
    emptyOutDir: true,
    target: 'es2024',
    sourcemap: true,
    // A worker or script in a data: URL would need a looser content security policy.
    assetsInlineLimit: 0,
    rolldownOptions: {
      onLog(level, log, report) {
        // @hpke/common asks Node for WebCrypto only where the platform has none.
        if (log.message.includes('Module "crypto" has been externalized')) return
        report(level, log)
      },
    },
  },
  worker: { format: 'es' },
})
