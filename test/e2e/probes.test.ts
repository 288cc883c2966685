import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import { startBareEngine } from '../harness/bare-engine.ts';
import type { Running } from '../harness/running.ts';
import { createTestCa, writeIdentity } from '../harness/test-ca.ts';

// Two cores and an edge, as they are installed. A core that is stopped keeps its port open and says nothing.

const HOST = '127.0.0.1';
let dir: string;
let engines: Running[] = [];
let origins: net.Server[] = [];
let identity: Awaited<ReturnType<typeof writeIdentity>>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aicdn-probes-'));
  identity = await writeIdentity(await createTestCa(), 'n1');
});

afterEach(async () => {
  for (const e of engines) process.kill(e.pid, 'SIGCONT');
  for (const e of engines) await e.stop();
  for (const o of origins) o.close();
  engines = [];
  origins = [];
  await identity.remove();
  await rm(dir, { recursive: true, force: true });
});

/** Says the address it is told by when asked. */
async function origin(answer: string): Promise<number> {
  const server = net.createServer((s) => {
    s.on('error', () => undefined);
    s.on('data', () => s.write(answer));
  });
  origins.push(server);
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

async function engine(name: string, document: string): Promise<Running> {
  const own = await mkdtemp(join(dir, `${name}-`));
  // One process, so that a signal stops all of it.
  const running = await startBareEngine({ dir: own, document, identity, more: ['--workers', '0'] });
  engines.push(running);
  return running;
}

async function talk(port: number): Promise<string> {
  const socket = net.connect({ port, host: HOST });
  socket.on('error', () => undefined);
  socket.write('hello');
  const [heard] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['cut'])]);
  socket.destroy();
  return String(heard);
}

describe.each(['tls', 'mtls'] as const)('over %s', (transport) => {
  it('a core that is stopped is set aside by its probe, and is back when it goes on', async () => {
    const [a = 0, b = 0, port = 0] = await freePorts(3);
    const core = async (name: string, own: number): Promise<Running> =>
      engine(
        name,
        `services: [{name: svc, addr: "${HOST}:${own}", handler: {type: relay}, listener: {type: ${transport}},
  forwarder: {nodes: [{name: o, addr: "${HOST}:${await origin(name)}"}]}}]`,
      );
    const first = await core('a', a);
    await core('b', b);
    const node = (name: string, own: number): string =>
      `{name: ${name}, addr: "${HOST}:${own}", connector: {type: relay}, dialer: {type: ${transport}}, probe: {addr: "${HOST}:${own}", interval: 1s, timeout: 1s}}`;
    const edge = await engine(
      'edge',
      `services: [{name: in, addr: "${HOST}:${port}", handler: {type: tcp, chain: c}, metadata: {dialTimeout: 300s}}]
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, selector: {strategy: fifo, maxFails: 2}, nodes: [${node('a', a)}, ${node('b', b)}]}]`,
    );
    expect(await talk(port)).toBe('a');
    process.kill(first.pid, 'SIGSTOP');
    await edge.wrote(/set aside until it answers a probe: a /);
    // Whoever came to the stopped one would wait for five minutes.
    for (let i = 0; i < 10; i++) expect(await talk(port)).toBe('b');
    process.kill(first.pid, 'SIGCONT');
    await edge.wrote(/a answers again/);
    while ((await talk(port)) !== 'a') await new Promise((r) => setTimeout(r, 50));
    expect(first.text).not.toMatch(/warn|error/);
  });
});
