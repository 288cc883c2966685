import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import { startBareEngine } from '../harness/bare-engine.ts';
import { Running } from '../harness/running.ts';
import { createTestCa } from '../harness/test-ca.ts';

// Names of cores and origins, answered by dnsmasq. Each core has an address of its own and one port.

const NAME = 'core.test';
let dir: string;
let hosts: string;
let dnsmasq: Running;
let dnsPort: number;
let identity: { certFile: string; keyFile: string; caFile: string };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aicdn-dns-'));
  hosts = join(dir, 'hosts');
  await writeFile(hosts, '');
  [dnsPort = 0] = await freePorts(1);
  dnsmasq = await startDnsmasq();
  const ca = await createTestCa();
  const { cert, key } = await ca.issueNode('n1');
  identity = { certFile: join(dir, 'c.pem'), keyFile: join(dir, 'k.pem'), caFile: join(dir, 'ca.pem') };
  await writeFile(identity.certFile, cert);
  await writeFile(identity.keyFile, key, { mode: 0o600 });
  await writeFile(identity.caFile, ca.ca);
});

afterAll(async () => {
  await dnsmasq?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function startDnsmasq(): Promise<Running> {
  const flags = ['--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', '--pid-file='];
  flags.push(`--user=${userInfo().username}`, '--no-resolv', '--no-hosts', '--local=/test/');
  flags.push('--listen-address=127.0.0.1', '--bind-interfaces', `--port=${dnsPort}`);
  const running = new Running('dnsmasq', [...flags, `--addn-hosts=${hosts}`, '--local-ttl=1']);
  await running.wrote(/read .*hosts/);
  return running;
}

async function point(...addresses: string[]): Promise<void> {
  const reads = (): number => dnsmasq.text.split('read ').length;
  const before = reads();
  await writeFile(hosts, addresses.map((a) => `${a} ${NAME}\n`).join(''));
  process.kill(dnsmasq.pid, 'SIGHUP');
  while (reads() === before) await new Promise((r) => setTimeout(r, 20));
}

type Transport = 'tcp' | 'tls' | 'mtls';

/** Cores on their addresses, an edge that knows them by name, and what stops them all. */
async function start(
  transport: Transport,
  addresses: readonly string[],
): Promise<{ port: number; engines: Running[] }> {
  const free = await freePorts(2 + addresses.length);
  const [corePort = 0, edgePort = 0, ...origins] = free;
  const engines: Running[] = [];
  for (const [i, address] of addresses.entries()) {
    const port = origins[i] ?? 0;
    net
      .createServer((s) => {
        s.on('error', () => undefined);
        s.on('data', (c) => s.write(`${address} heard ${c}`));
      })
      .listen(port, '127.0.0.1')
      .unref();
    const addr = address.includes(':') ? `[${address}]` : address;
    engines.push(
      await startBareEngine({
        dir: await mkdtemp(join(dir, 'core-')),
        identity,
        document: `services: [{name: svc, addr: "${addr}:${corePort}", handler: {type: relay}, listener: {type: ${transport}}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:${port}"}]}}]`,
      }),
    );
  }
  engines.push(
    await startBareEngine({
      dir: await mkdtemp(join(dir, 'edge-')),
      identity,
      // One: each worker has names of its own, and which one takes a client is not ours to say.
      more: ['--workers', '1', '--dns', `127.0.0.1:${dnsPort}`],
      document: `services: [{name: in, addr: "127.0.0.1:${edgePort}", handler: {type: tcp, chain: c}}]
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, nodes: [{name: n, addr: "${NAME}:${corePort}", connector: {type: relay}, dialer: {type: ${transport}}}]}]`,
    }),
  );
  return { port: edgePort, engines };
}

async function talk(port: number): Promise<{ socket: net.Socket; heard: string }> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.write('hello');
  const heard = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['cut'])]);
  return { socket, heard: String(heard[0]) };
}

/** New streams, one after the other, until one of them is answered like that. */
async function talksUntil(port: number, wanted: string): Promise<void> {
  for (;;) {
    const { socket, heard } = await talk(port);
    socket.destroy();
    if (heard === wanted) return;
    await new Promise((r) => setTimeout(r, 50));
  }
}

describe.each(['tcp', 'tls', 'mtls'] as const)('a core by name over %s', (transport) => {
  it('is found at its second address, followed when it moves, and served while DNS is down', async () => {
    await point('127.0.0.9', '127.0.0.2');
    const { port, engines } = await start(transport, ['127.0.0.2', '127.0.0.3']);
    const before = await talk(port);
    expect(before.heard).toBe('127.0.0.2 heard hello');
    await point('127.0.0.3');
    await talksUntil(port, '127.0.0.3 heard hello');
    before.socket.write('again');
    expect(String((await once(before.socket, 'data'))[0])).toBe('127.0.0.2 heard again');
    before.socket.destroy();
    await dnsmasq.stop();
    const edge = engines.at(-1) as Running;
    await edge.wrote(/DNS does not answer.*127\.0\.0\.3/);
    expect((await talk(port)).heard).toBe('127.0.0.3 heard hello');
    dnsmasq = await startDnsmasq();
    for (const engine of engines) await engine.stop();
  });

  it('of IPv6 alone is found', async () => {
    await point('::1');
    const { port, engines } = await start(transport, ['::1']);
    expect((await talk(port)).heard).toBe('::1 heard hello');
    for (const engine of engines) await engine.stop();
  });
});
