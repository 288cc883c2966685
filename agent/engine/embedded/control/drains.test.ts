import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configHash } from '../../../../proto/document/hash.ts';
import { readDocument } from '../../../../proto/document/read.ts';
import { localData } from '../data/local.ts';
import { DataPlane } from '../data/plane.ts';
import { Control, type Memo } from './control.ts';
import { statusOf } from './drains.ts';
import { LogRing } from './logs.ts';

const HOST = '127.0.0.1';
const NOBODY = { certFile: '', keyFile: '', caFile: '' };
let plane: DataPlane;
let control: Control;
let memo: Memo | null = null;
let origin: net.Server;
let ports: number[];

function makeControl(kept: Memo | null): Control {
  const logs = new LogRing({ now: () => Date.now(), write: () => undefined });
  return new Control({
    data: localData(plane.calls),
    hello: { protocol: [1, 1], kind: 'embedded', version: '1', instance: 'i', pid: 1, capabilities: [] },
    logs,
    startedAt: 1,
    now: () => Date.now(),
    memo: kept,
    keep: (m) => {
      memo = structuredClone(m);
    },
    onStop: () => undefined,
  });
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise<void>((r) => server.close(() => r()));
  return port;
}

beforeEach(async () => {
  memo = null;
  const sink = (): void => undefined;
  plane = new DataPlane({
    log: sink,
    now: () => Date.now(),
    clock: () => performance.now(),
    random: () => 0,
  });
  control = makeControl(null);
  origin = net.createServer((s) => {
    s.on('error', sink);
    s.write('hi');
    s.on('data', (c) => s.write(c));
  });
  const to = await listen(origin);
  ports = [await freePort(), await freePort()];
  const services = ['a', 'b'].map(
    (name, i) =>
      `  - {name: ${name}, addr: "${HOST}:${ports[i]}", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "${HOST}:${to}"}]}}\n`,
  );
  const read = readDocument(`services:\n${services.join('')}`);
  if (!read.ok) throw new Error(JSON.stringify(read.refusals));
  const { document } = read;
  await control.calls.apply({
    document,
    hash: configHash(document),
    baseGeneration: 0,
    identity: NOBODY,
  });
});

afterEach(async () => {
  control.close();
  await plane.calls.stop({});
  origin.close();
});

async function client(i: number): Promise<net.Socket> {
  const socket = net.connect({ host: HOST, port: ports[i] ?? 0 });
  socket.on('error', () => undefined);
  await once(socket, 'data');
  return socket;
}

async function refused(i: number): Promise<boolean> {
  const socket = net.connect({ host: HOST, port: ports[i] ?? 0 });
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}

describe('a drain', () => {
  it('closes the listener of its service alone; its streams go on and are told; taken back, it listens again', async () => {
    const stream = await client(0);
    const status = await control.calls.drain({ service: 'a', deadlineMs: 60_000 });
    expect(status).toMatchObject({ service: 'a', streams: 1, etaMs: null });
    expect(status.oldestMs).toBeGreaterThanOrEqual(0);
    expect([await refused(0), await refused(1)]).toEqual([true, false]);
    stream.write('still');
    expect(String((await once(stream, 'data'))[0])).toBe('still');
    stream.destroy();
    expect(await control.calls.undrain({ service: 'a' })).toEqual({ opened: ['a'] });
    expect((await control.calls.drainStatus({})).drains).toEqual([]);
    (await client(0)).destroy();
  });

  it('cuts what is left at its deadline, and only that', async () => {
    const [left, other] = [await client(0), await client(1)];
    const closed = new Promise<void>((r) => left.once('close', () => r()));
    await control.calls.drain({ service: 'a', deadlineMs: 20 });
    await closed;
    other.write('on');
    expect(String((await once(other, 'data'))[0])).toBe('on');
    other.destroy();
    const { drains } = await control.calls.drainStatus({});
    expect(drains).toMatchObject([{ service: 'a', streams: 0, etaMs: 0 }]);
  });

  it('outlives an apply and the control that began it', async () => {
    await control.calls.drain({ service: null, deadlineMs: 60_000 });
    const { document, generation, hash } = await control.calls.effective({});
    if (document === null || hash === null) throw new Error('nothing runs');
    await control.calls.apply({ document, hash, baseGeneration: generation, identity: NOBODY });
    expect([await refused(0), await refused(1)]).toEqual([true, true]);
    control.close();
    control = makeControl(memo);
    expect(await control.calls.info({})).toMatchObject({ generation: 2, documentHash: hash });
    expect((await control.calls.drainStatus({})).drains).toMatchObject([{ service: null }]);
    expect((await control.calls.undrain({ service: null })).opened).toEqual(['a', 'b']);
    expect([await refused(0), await refused(1)]).toEqual([false, false]);
  });

  it('refuses a service that is not carried, and a time that is none', async () => {
    const wrong = control.calls.drain({ service: 'x', deadlineMs: 1 });
    await expect(wrong).rejects.toMatchObject({ code: 'not_found' });
    const never = control.calls.drain({ service: 'a', deadlineMs: -1 });
    await expect(never).rejects.toMatchObject({ code: 'invalid' });
    expect(await refused(0)).toBe(false);
  });

  it('tells when it is over by the pace so far, never after its deadline', () => {
    const drain = { service: 'a', since: 0, deadline: 10_000, began: 10 };
    const under = (streams: number) => ({ services: [{ service: 'a', streams, oldestMs: 5 }], sockets: 0 });
    expect(statusOf(drain, under(10), 1_000).etaMs).toBe(null);
    expect(statusOf(drain, under(5), 1_000).etaMs).toBe(1_000);
    expect(statusOf(drain, under(9), 5_000).etaMs).toBe(5_000);
    expect(statusOf(drain, under(0), 5_000)).toMatchObject({ streams: 0, etaMs: 0 });
  });
});
