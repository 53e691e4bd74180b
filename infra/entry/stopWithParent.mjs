/**
 * Preloaded into a server that leads a process group of its own, where the terminal's signals do
 * not arrive: stops it when the script that started it is gone, however that ended.
 */
process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume()
// Waiting for that does not keep the server running.
if ('unref' in process.stdin) process.stdin.unref()
