import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import { makeNode, makePool, makeService, Plane } from '../../../../test/harness/two-hops.ts';
import type { DataService, Material } from './messages.ts';
import { type Entry, LocalTally, type Tally, type Want } from './tally.ts';

// Connections that wait until the node has said whether they may come in.

/** Answers when it is told to, and then as one that counts alone does. */
class SlowTally implements Tally {
  readonly counts = new LocalTally({ clock: () => performance.now() });
  #waiting: (() => void)[] = [];
  #asked: (() => void)[] = [];

  enter(wants: readonly Want[]): Promise<Entry> {
    for (const asked of this.#asked.splice(0)) asked();
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.counts.enter(wants))));
  }

  spend(): number {
    return 0;
  }

  /** Resolves with the next question. */
  asked(): Promise<void> {
    return new Promise((resolve) => this.#asked.push(resolve));
  }

  answer(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

const TLS = { material: 'web', peers: 'any' } as const;
const KEY = 'climiter c $';
let web: Material;
let tally: SlowTally;
let plane: Plane;
let origin: net.Server;

beforeAll(async () => {
  const ca = await createTestCa();
  web = { ...(await ca.issue('web', { dns: 'localhost' })), ca: null };
});

/** Says what it heard once the client has ended. */
beforeEach(async () => {
  tally = new SlowTally();
  plane = new Plane({ tally });
  origin = net.createServer({ allowHalfOpen: true }, (s) => {
    let heard = '';
    s.on('error', () => undefined);
    s.on('data', (c) => {
      heard += String(c);
    });
    s.on('end', () => s.end(`heard ${heard}`));
  });
  await new Promise<void>((r) => origin.listen(0, '127.0.0.1', r));
});

afterEach(async () => {
  await plane.data.calls.stop({});
  origin.close();
});

async function carry(more: Partial<DataService>): Promise<net.NetConnectOpts> {
  const { port } = origin.address() as net.AddressInfo;
  const guards = { climiter: { name: 'c', limits: [{ key: '$', limit: 1 }] } };
  await plane.carry([makeService('s', { guards, targets: makePool([makeNode(port)]), ...more })], { web });
  return { port: plane.port('s'), host: '127.0.0.1', allowHalfOpen: true };
}

async function until(so: () => boolean): Promise<void> {
  while (!so()) await new Promise((r) => setTimeout(r, 5));
}

async function textOf(socket: net.Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const HEADER = 'PROXY TCP4 203.0.113.7 203.0.113.1 4000 443\r\n';

describe('while the answer is awaited', () => {
  it.each([
    ['bytes and an end', {}, 'hello', 'heard hello'],
    ['an end alone', {}, '', 'heard '],
    ['what came behind a PROXY header', { proxyIn: true }, `${HEADER}hello`, 'heard hello'],
  ])('%s wait in their order', async (_, more, said, heard) => {
    const to = await carry(more);
    const asked = tally.asked();
    const client = net.connect(to);
    client.end(said);
    await asked;
    const answer = textOf(client);
    // Long enough for the end to arrive, were it read.
    await new Promise((r) => setTimeout(r, 50));
    tally.answer();
    expect(await answer).toBe(heard);
    await until(() => tally.counts.held(KEY) === 0);
  });

  it.each([false, true])('a ClientHello waits, behind a PROXY header: %j', async (proxyIn) => {
    const to = await carry({ tls: TLS, proxyIn });
    const asked = tally.asked();
    const raw = net.connect(to);
    if (proxyIn) raw.write(HEADER);
    const client = tls.connect({ socket: raw, rejectUnauthorized: false, allowHalfOpen: true } as object);
    client.end('hello');
    await asked;
    await new Promise((r) => setTimeout(r, 50));
    tally.answer();
    expect(await textOf(client)).toBe('heard hello');
    await until(() => tally.counts.held(KEY) === 0);
  });

  it.each<[string, Partial<DataService>, string, boolean]>([
    ['reset', {}, '', true],
    ['reset, over TLS', { tls: TLS }, '', true],
    ['ended, over TLS', { tls: TLS }, '', false],
    ['reset behind its PROXY header', { proxyIn: true }, HEADER, true],
    ['ended behind its PROXY header', { proxyIn: true }, HEADER, false],
    ['ended in its ClientHello', { proxyIn: true, tls: TLS }, `${HEADER}\x16\x03\x01`, false],
  ])('one that was %s gives its place back', async (_, more, said, reset) => {
    const to = await carry(more);
    const asked = tally.asked();
    const client = net.connect(to);
    client.on('error', () => undefined);
    client.write(said);
    await asked;
    if (reset) client.resetAndDestroy();
    else client.end();
    await new Promise((r) => setTimeout(r, 50));
    tally.answer();
    await new Promise((r) => setImmediate(r));
    await until(() => tally.counts.held(KEY) === 0);
    client.destroy();
    // Nothing is left that would keep the next one out.
    const next = net.connect(to);
    const again = tally.asked();
    next.end(more.proxyIn ? `${HEADER}x` : 'x');
    await again;
    tally.answer();
    await until(() => tally.counts.held(KEY) === 1 || next.destroyed);
    expect(plane.log.join()).not.toMatch(/more than/);
    next.destroy();
  });

  it('one too many is reset, with what it has said', async () => {
    const to = await carry({});
    tally.counts.hold(KEY);
    const asked = tally.asked();
    const client = net.connect(to);
    client.write('hello');
    await asked;
    tally.answer();
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    expect(await plane.stats('s')).toMatchObject({ opened: 0, errors: 1 });
    expect(plane.log.join()).toMatch(/refused 127.0.0.1: more than 1 connections at once/);
  });
});
