import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';

export type ConnectionInjector = ReturnType<Server['createConnectionInjector']>;

/** gRPC's own shutdown does not wait for connections it was handed: their last words would be lost. */
export async function drainConnections(
  injector: ConnectionInjector,
  sockets: ReadonlySet<Socket>,
  graceMs: number,
): Promise<void> {
  injector.drain(graceMs);
  const closed = [...sockets].map(
    (socket) => new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once('close', resolve))),
  );
  const hard = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await Promise.all(closed);
  clearTimeout(hard);
}
