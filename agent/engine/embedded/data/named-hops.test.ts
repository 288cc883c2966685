import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DnsServer } from '../../../../test/fakes/dns-server.ts';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import {
  makeNode,
  makePool,
  makeService,
  makeTransport,
  Plane,
  type Transport,
} from '../../../../test/harness/two-hops.ts';
import type { Material } from './messages.ts';

const NAME = 'core.test';
let dns: DnsServer;
let id: Material;
let planes: Plane[] = [];
let servers: net.Server[] = [];

beforeEach(async () => {
  const ca = await createTestCa();
  id = { ...(await ca.issueNode('n1')), ca: ca.ca };
  dns = await DnsServer.start();
});

afterEach(async () => {
  for (const plane of planes) await plane.data.calls.stop({});
  for (const s of servers) s.close();
  planes = [];
  servers = [];
  await dns.stop();
});

/** A core on an address of its own; its origin greets with that address and says back what it hears. */
async function core(host: string, transport: Transport, port = 0): Promise<{ plane: Plane; port: number }> {
  const origin = net.createServer((s) => {
    s.on('error', () => undefined);
    s.once('data', (c) => {
      s.write(`${host} heard ${c}`);
      s.pipe(s);
    });
  });
  servers.push(origin);
  await new Promise<void>((r) => origin.listen(0, '127.0.0.1', r));
  const targets = makePool([makeNode((origin.address() as net.AddressInfo).port)]);
  const plane = new Plane();
  planes.push(plane);
  const { listen } = makeTransport(transport);
  const service = makeService('svc', { handler: 'relay', ...listen, targets, listen: { host, port } });
  await plane.carry([service], { id });
  return { plane, port: plane.port('svc') };
}

async function edge(transport: Transport, port: number): Promise<Plane> {
  const plane = new Plane({ dns: [dns.address], hostsFile: '/dev/null' });
  planes.push(plane);
  const { dial } = makeTransport(transport);
  const cores = makePool([makeNode(port, { host: NAME, ...dial })]);
  await plane.carry([makeService('in', { cores })], { id });
  return plane;
}

async function talk(plane: Plane, word: string): Promise<{ socket: net.Socket; heard: string }> {
  const socket = net.connect({ port: plane.port('in'), host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.write(word);
  const [heard] = await once(socket, 'data');
  return { socket, heard: String(heard) };
}

describe.each(['tcp', 'tls', 'ws', 'wss', 'mtls', 'mwss'] as const)('a hop by name over %s', (transport) => {
  it('is reached at its second address when the first refuses', async () => {
    const { port } = await core('127.0.0.1', transport);
    dns.set(NAME, { a: ['127.0.0.3', '127.0.0.1'], aaaa: ['::1'], ttl: 60 });
    const plane = await edge(transport, port);
    for (let i = 0; i < 3; i++) {
      const { socket, heard } = await talk(plane, `hello ${i}`);
      expect(heard).toBe(`127.0.0.1 heard hello ${i}`);
      socket.destroy();
    }
    expect(await plane.stats('in')).toMatchObject({ errors: 0 });
  });

  it('takes new streams where its name points now, and old ones go on where they are', async () => {
    const { port, plane: old } = await core('127.0.0.2', transport);
    await core('127.0.0.3', transport, port);
    dns.set(NAME, { a: ['127.0.0.2'], ttl: 1 });
    const plane = await edge(transport, port);
    const before = await talk(plane, 'before');
    expect(before.heard).toBe('127.0.0.2 heard before');
    dns.set(NAME, { a: ['127.0.0.3'], ttl: 1 });
    for (;;) {
      const { socket, heard } = await talk(plane, 'now');
      socket.destroy();
      if (heard === '127.0.0.3 heard now') break;
      await new Promise((r) => setTimeout(r, 50));
    }
    before.socket.write('still there');
    expect(String((await once(before.socket, 'data'))[0])).toBe('still there');
    const after = await Promise.all(Array.from({ length: 6 }, () => talk(plane, 'after')));
    expect(after.map((a) => a.heard)).toEqual(after.map(() => '127.0.0.3 heard after'));
    for (const { socket } of [before, ...after]) socket.destroy();
    while ((await old.data.calls.streams({})).services.length > 0) await new Promise((r) => setTimeout(r, 5));
    expect(await plane.stats('in')).toMatchObject({ errors: 0, abortedTunnel: 0 });
  });
});

it('a name of IPv6 alone is reached, and one that is nowhere says so', async () => {
  const { port } = await core('::1', 'tls');
  dns.set(NAME, { aaaa: ['::1'], ttl: 1 });
  const plane = await edge('tls', port);
  const { socket, heard } = await talk(plane, 'hello');
  expect(heard).toBe('::1 heard hello');
  socket.destroy();
  dns.set(NAME, null);
  const other = await edge('tls', port);
  const refused = net.connect({ port: other.port('in'), host: '127.0.0.1' });
  refused.on('error', () => undefined);
  await new Promise((r) => refused.once('close', r));
  expect(other.log.join()).toContain(`(${NAME}:${port}): no address: ENOTFOUND`);
});
