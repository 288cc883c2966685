import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import { makeNode, makePool, makeService, makeTransport, Plane } from '../../../../test/harness/two-hops.ts';
import type { Material } from './messages.ts';

const HOST = '127.0.0.1';
let id: Material;
let planes: Plane[] = [];
let gates: Gate[] = [];
let origin: net.Server;

/** In front of a core: counts connections, and can stop passing bytes without a word. */
interface Gate {
  readonly server: net.Server;
  readonly port: number;
  /** Where to; 0: nowhere, it is closed at once. */
  to: number;
  connections: number;
  silent: boolean;
}

beforeEach(async () => {
  const ca = await createTestCa();
  id = { ...(await ca.issueNode('n1')), ca: ca.ca };
  origin = net.createServer((s) => s.on('error', () => undefined).pipe(s));
  await listen(origin);
});

afterEach(async () => {
  for (const plane of planes) await plane.data.calls.stop({});
  for (const { server } of gates) server.close();
  origin.close();
  planes = [];
  gates = [];
});

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

async function gateTo(to: number): Promise<Gate> {
  const server = net.createServer((s) => {
    gate.connections += 1;
    s.on('error', () => undefined);
    if (gate.to === 0) {
      s.destroy();
      return;
    }
    const up = net.connect({ port: gate.to, host: HOST });
    up.on('error', () => s.destroy());
    s.on('data', (c) => gate.silent || up.write(c));
    up.on('data', (c) => gate.silent || s.write(c));
    s.on('close', () => up.destroy());
    up.on('close', () => s.destroy());
  });
  const gate: Gate = { server, port: await listen(server), to, connections: 0, silent: false };
  gates.push(gate);
  return gate;
}

async function core(transport: Parameters<typeof makeTransport>[0]): Promise<{ plane: Plane; gate: Gate }> {
  const plane = new Plane();
  planes.push(plane);
  const targets = makePool([makeNode((origin.address() as net.AddressInfo).port)]);
  await plane.carry([makeService('svc', { handler: 'relay', ...makeTransport(transport).listen, targets })], {
    id,
  });
  return { plane, gate: await gateTo(plane.port('svc')) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((r) => setTimeout(r, 5));
}

async function talk(plane: Plane): Promise<void> {
  const socket = net.connect({ port: plane.port('in'), host: HOST });
  socket.on('error', () => undefined);
  socket.write('hello');
  expect(String((await once(socket, 'data'))[0])).toBe('hello');
  socket.destroy();
}

describe.each(['tcp', 'tls', 'ws', 'wss', 'mtls', 'mwss'] as const)('a probe over %s', (transport) => {
  it('opens no stream on a core and is no error there', async () => {
    const { plane, gate } = await core(transport);
    const { dial } = makeTransport(transport);
    const probe = { intervalMs: 20, timeoutMs: 5_000 };
    const edge = new Plane();
    planes.push(edge);
    await edge.carry([makeService('in', { cores: makePool([makeNode(gate.port, { ...dial, probe })]) })], {
      id,
    });
    await until(() => gate.connections >= 10 + dial.over.sessions);
    await talk(edge);
    await until(() => gate.connections >= 20 + dial.over.sessions);
    expect(await plane.stats('svc')).toMatchObject({ opened: 1, errors: 0, abortedTunnel: 0 });
    expect(plane.log).toEqual([]);
    expect(edge.log).toEqual([]);
    // No route, no probes.
    await edge.carry([], {});
    const { connections } = gate;
    await new Promise((r) => setTimeout(r, 100));
    expect(gate.connections - connections).toBeLessThanOrEqual(1);
  });
});

describe.each(['tls', 'wss', 'mtls', 'mwss'] as const)('a core over %s that falls silent', (transport) => {
  it('is set aside before a stream finds out, and taken back', async () => {
    const [first, second] = [await core(transport), await core(transport)];
    const { dial } = makeTransport(transport);
    const probe = { intervalMs: 50, timeoutMs: 500 };
    const nodes = [first, second].map(({ gate }) => makeNode(gate.port, { ...dial, probe }));
    const edge = new Plane();
    planes.push(edge);
    await edge.carry([makeService('in', { cores: makePool(nodes), dialTimeoutMs: 60_000 })], { id });
    await talk(edge);
    const opened = async (): Promise<readonly number[]> =>
      Promise.all([first, second].map(async ({ plane }) => (await plane.stats('svc')).opened));
    expect(await opened()).toEqual([1, 0]);
    first.gate.silent = true;
    await until(() => edge.log.some((l) => l.includes('set aside until it answers a probe')));
    // Each would wait a minute for the silent one.
    for (let i = 0; i < 5; i++) await talk(edge);
    expect(await opened()).toEqual([1, 5]);
    first.gate.silent = false;
    await until(() => edge.log.some((l) => l.includes('answers again')));
    if (dial.over.sessions === 0) {
      await talk(edge);
      expect(await opened()).toEqual([2, 5]);
    }
    expect(await edge.stats('in')).toMatchObject({ errors: 0 });
  });
});

it('a core without sessions is passed over with no probe asked for, and used again when it has some', async () => {
  const [first, second] = [await core('mtls'), await core('mtls')];
  const { dial } = makeTransport('mtls');
  const gate = await gateTo(0);
  const nodes = [makeNode(gate.port, dial), makeNode(second.gate.port, dial)];
  const edge = new Plane();
  planes.push(edge);
  // Failed dials alone would never set it aside, and no stream gets a second try.
  const cores = makePool(nodes, { maxFails: 1_000 });
  await edge.carry([makeService('in', { cores })], { id });
  const opened = async (plane: Plane): Promise<number> => (await plane.stats('svc')).opened;
  while ((await opened(second.plane)) === 0) {
    const socket = net.connect({ port: edge.port('in'), host: HOST });
    socket.on('error', () => undefined);
    socket.write('hello');
    await new Promise((r) => socket.once('data', r).once('close', r));
    socket.destroy();
    await new Promise((r) => setTimeout(r, 50));
  }
  for (let i = 0; i < 5; i++) await talk(edge);
  expect([await opened(first.plane), await opened(second.plane)]).toEqual([0, 6]);
  gate.to = first.plane.port('svc');
  while ((await opened(first.plane)) === 0) {
    await talk(edge);
    await new Promise((r) => setTimeout(r, 50));
  }
}, 30_000);
