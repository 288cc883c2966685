import type net from 'node:net';

const SILENT_MS = 30_000;
const INTERVAL_MS = 10_000;
const PROBES = 6;

/**
 * A side that is gone is noticed after a minute and a half of silence, and a line that was away for less than a minute
 * cuts no silent stream: Node's own probes, ten of them a second apart, would.
 */
export function keepAlive(socket: net.Socket): void {
  socket.setKeepAlive(true, SILENT_MS, INTERVAL_MS, PROBES);
}
