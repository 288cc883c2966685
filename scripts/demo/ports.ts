import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

// Below Linux's ephemeral range (32768 and up): a port from it may be an outgoing connection's by the time it is bound.
const LOWEST = 12_000;
const HIGHEST = 32_000;
const MOST_TRIES = 200;

/** n different free TCP ports on loopback, all held until the last is known. */
export async function freePorts(n: number): Promise<number[]> {
  const held = new Map<number, Server>();
  for (let tries = 0; held.size < n; tries++) {
    if (tries > MOST_TRIES) throw new Error(`found only ${held.size} of ${n} free ports on loopback`);
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (held.has(port)) continue;
    const server = await hold(port);
    if (server) held.set(port, server);
  }
  await Promise.all([...held.values()].map((s) => new Promise((done) => s.close(done))));
  return [...held.keys()];
}

async function hold(port: number): Promise<Server | null> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}
