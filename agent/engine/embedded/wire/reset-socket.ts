import type net from 'node:net';

const LAST_BYTES_MS = 5_000;

/** Breaks a connection, TLS or not; `raw` is the TCP socket under `socket`, or the same: only that one can be reset. */
export function resetSocket(socket: net.Socket, raw: net.Socket): void {
  if (raw === socket) whenPossible(socket, raw);
  // Not now: this may run inside OpenSSL (the handshake's and the tickets' callbacks do), and with the TCP socket
  // gone Node frees the TLS state at once, under OpenSSL's feet.
  else setImmediate(() => whenPossible(socket, raw));
}

function whenPossible(socket: net.Socket, raw: net.Socket): void {
  if (socket.destroyed || !socket.writableEnded || socket.writableFinished) {
    reset(socket, raw);
    return;
  }
  // Its last bytes and a FIN are on their way. libuv refuses a reset until they are gone, and Node would then never
  // close the descriptor.
  const late = setTimeout(() => {
    // With bytes left no shutdown has been asked for yet, and what is cut short must not end in good order.
    if (socket.writableLength > 0) reset(socket, raw);
    else socket.destroy();
  }, LAST_BYTES_MS);
  late.unref();
  socket.once('finish', () => {
    if (raw === socket) reset(socket, raw);
    else setImmediate(() => reset(socket, raw));
  });
  socket.once('close', () => clearTimeout(late));
  socket.removeAllListeners('data');
  socket.resume();
}

function reset(socket: net.Socket, raw: net.Socket): void {
  if (!raw.destroyed) raw.resetAndDestroy();
  socket.destroy();
}
