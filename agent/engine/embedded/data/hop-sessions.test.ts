import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import { makeNode, makePool, makeService, makeTransport, Plane } from '../../../../test/harness/two-hops.ts';
import type { Material } from './messages.ts';
import { encodeRequest } from './relay-codec.ts';

const HOST = '127.0.0.1';
const { listen, dial } = makeTransport('mtls');
let origin: net.Server;
let gate: net.Server;
let passing: net.Socket[] = [];
let core: Plane;
let edge: Plane;
let id: Material;

async function port(server: net.Server): Promise<number> {
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

/** The core behind a gate that counts connections and can cut them. */
beforeEach(async () => {
  const ca = await createTestCa();
  id = { ...(await ca.issueNode('n1')), ca: ca.ca };
  origin = net.createServer((s) => {
    s.on('error', () => undefined);
    s.pipe(s);
  });
  const targets = makePool([makeNode(await port(origin))]);
  core = new Plane();
  await core.carry([makeService('svc', { handler: 'relay', ...listen, targets })], { id });
  passing = [];
  const at = core.port('svc');
  gate = net.createServer((s) => {
    const up = net.connect({ port: at, host: HOST });
    s.on('error', () => undefined);
    up.on('error', () => s.destroy());
    s.pipe(up).pipe(s);
    s.on('close', () => {
      up.destroy();
      passing = passing.filter((p) => p !== s);
    });
    passing.push(s);
  });
  const cores = makePool([makeNode(await port(gate), dial)]);
  edge = new Plane();
  await edge.carry([makeService('in', { cores })], { id });
});

afterEach(async () => {
  for (const plane of [edge, core]) await plane.data.calls.stop({});
  for (const s of passing) s.destroy();
  for (const s of [origin, gate]) s.close();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((r) => setTimeout(r, 5));
}

/** The first bytes that come, so many. */
async function heard(socket: net.Socket, bytes: number): Promise<string> {
  let text = '';
  while (text.length < bytes) text += String((await once(socket, 'data'))[0]);
  return text;
}

async function talk(word: string): Promise<net.Socket> {
  const socket = net.connect({ port: edge.port('in'), host: HOST });
  socket.on('error', () => undefined);
  socket.write(word);
  expect(String((await once(socket, 'data'))[0])).toBe(word);
  return socket;
}

describe('sessions kept to a hop', () => {
  it('are there before a stream is, carry many, and are dialled again when they die', async () => {
    await until(() => passing.length === 2);
    const sockets = await Promise.all(Array.from({ length: 20 }, (_, i) => talk(`hello ${i}`)));
    expect(passing.length).toBe(2);
    const lost = Promise.all(sockets.map((s) => new Promise<boolean>((r) => void s.once('close', r))));
    for (const s of [...passing]) s.resetAndDestroy();
    expect(await lost).toEqual(sockets.map(() => true));
    (await talk('after')).destroy();
    await until(() => passing.length === 2);
    expect((await edge.stats('in')).abortedClient).toBe(0);
  });

  it('are balanced: half of the streams die with one of two', async () => {
    await until(() => passing.length === 2);
    const sockets: net.Socket[] = [];
    for (let i = 0; i < 10; i++) sockets.push(await talk(`hello ${i}`));
    passing[0]?.resetAndDestroy();
    await until(() => sockets.filter((s) => s.destroyed).length >= 5);
    // At once, whether or not the dead one is there again.
    (await talk('more')).destroy();
    expect(sockets.filter((s) => s.destroyed).length).toBe(5);
    for (const s of sockets) s.destroy();
  });

  it('move to others when the core asks them to leave, and end with their last stream', async () => {
    await until(() => passing.length === 2);
    const before = await talk('before');
    const port = core.port('svc');
    await core.data.calls.leave({});
    // Nobody else listens there: what is new fails, what is open does not.
    await until(() => passing.length <= 1);
    const refused = net.connect({ port: edge.port('in'), host: HOST });
    refused.on('error', () => undefined);
    await new Promise((r) => refused.once('close', r));
    before.write('still');
    expect(String((await once(before, 'data'))[0])).toBe('still');
    const next = new Plane();
    const { port: away } = origin.address() as net.AddressInfo;
    const targets = makePool([makeNode(away)]);
    const listen_ = { host: HOST, port };
    await next.carry([makeService('svc', { handler: 'relay', ...listen, listen: listen_, targets })], { id });
    (await talk('after')).destroy();
    before.write('and still');
    expect(String((await once(before, 'data'))[0])).toBe('and still');
    before.destroy();
    await until(() => passing.length === 2);
    expect((await core.stats('svc')).streams).toBe(0);
    await next.data.calls.stop({});
  });

  it('change in number while streams come and go, and nothing is lost', async () => {
    const { port: gated } = gate.address() as net.AddressInfo;
    const before = await talk('before');
    for (const sessions of [1, 4, 3, 2]) {
      const over = { ...dial.over, sessions };
      const cores = makePool([makeNode(gated, { ...dial, over })]);
      const words = Array.from({ length: 20 }, (_, i) => talk(`hello ${i}`));
      await edge.carry([makeService('in', { listen: { host: HOST, port: 0 }, cores })], { id });
      for (const socket of [...(await Promise.all(words)), await talk('after')]) socket.destroy();
      // The one with `before` in it is there beside the new ones.
      await until(() => passing.length === sessions + 1);
    }
    before.write('still');
    expect(String((await once(before, 'data'))[0])).toBe('still');
    before.destroy();
    await until(() => passing.length === 2);
  });

  it('end with their last stream when the hop is no longer used', async () => {
    const socket = await talk('before');
    const { port: away } = origin.address() as net.AddressInfo;
    await edge.carry([makeService('in', { targets: makePool([makeNode(away)]) })], { id });
    await until(() => passing.length === 1);
    socket.write('still');
    expect(String((await once(socket, 'data'))[0])).toBe('still');
    socket.destroy();
    await until(() => passing.length === 0);
  });

  it('are not kept to a hop that is no longer used because of a stream that came before and dials after', async () => {
    const { port: gated } = gate.address() as net.AddressInfo;
    const { port: away } = origin.address() as net.AddressInfo;
    const header = encodeRequest({ auth: null, target: null });
    const relay = { handler: 'relay', listen: { host: HOST, port: 0 } } as const;
    const old = makePool([makeNode(gated, dial)]);
    await edge.carry([makeService('in', { ...relay, cores: old })], { id });
    const late = net.connect({ port: edge.port('in'), host: HOST }).on('error', () => undefined);
    late.write(header.subarray(0, 4));
    // One that came after it is carried: it is in, too.
    const next = net.connect({ port: edge.port('in'), host: HOST }).on('error', () => undefined);
    next.write(header);
    expect(await heard(next, 4)).toBe('\x01\0\0\0');
    next.destroy();
    await edge.carry([makeService('in', { ...relay, targets: makePool([makeNode(away)]) })], { id });
    await until(() => passing.length === 0);
    late.write(Buffer.concat([header.subarray(4), Buffer.from('hi')]));
    expect(await heard(late, 6)).toBe('\x01\0\0\0hi');
    expect(passing.length).toBe(1);
    late.destroy();
    await until(() => passing.length === 0);
  });
});
