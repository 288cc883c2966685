import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, type TestCa } from '../../../../test/harness/test-ca.ts';
import {
  makeNode,
  makePool,
  makeService,
  makeTransport,
  Plane,
  startTwoHops,
  type Transport,
  type TwoHops,
} from '../../../../test/harness/two-hops.ts';
import type { Material } from './messages.ts';

// What goes wrong on the way, over every transport and one tunnel or two: another core, or an end that nobody takes for
// a success. And what goes well: a token is never held.

const HOST = '127.0.0.1';
const TYPES: readonly Transport[] = ['tcp', 'tls', 'ws', 'wss', 'mtls', 'mwss'];
const WAYS = TYPES.flatMap((tunnel) => [
  { tunnel, middle: false, title: `${tunnel}, one tunnel` },
  { tunnel, middle: true, title: `${tunnel}, two tunnels` },
]);
let ca: TestCa;
let hops: TwoHops | null = null;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  ca = await createTestCa();
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  await hops?.close();
  hops = null;
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((r) => setTimeout(r, 5));
}

/** What a client hears so far, and how it ended: `end`, or a code. */
function hear(socket: net.Socket): { text: string; how: string | null } {
  const heard = { text: '', how: null as string | null };
  socket.on('data', (c) => {
    heard.text += c;
  });
  socket.on('end', () => {
    heard.how ??= 'end';
  });
  socket.on('error', (e: NodeJS.ErrnoException) => {
    heard.how ??= e.code ?? 'error';
  });
  return heard;
}

async function listen(each: (socket: net.Socket) => void): Promise<number> {
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (s) => {
    open.add(s.on('error', () => undefined).on('close', () => open.delete(s)));
    each(s);
  });
  await new Promise<void>((r) => server.listen(0, HOST, r));
  closing.push(() => {
    for (const s of open) s.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

async function deadPort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((r) => server.listen(0, HOST, r));
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((r) => server.close(() => r()));
  return port;
}

const ASK = 'POST /v1/chat/completions HTTP/1.1\r\nHost: o\r\nContent-Length: 0\r\n\r\n';
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const token = (n: number): string => {
  const data = `data: ${n}\n\n`;
  return `${data.length.toString(16)}\r\n${data}\r\n`;
};

describe.each(WAYS)('$title', ({ tunnel, middle }) => {
  /** Clients, and the origin's sides of their streams in the order of their first words. */
  async function start(): Promise<{ talk: () => Promise<{ client: net.Socket; origin: net.Socket }> }> {
    const asked: net.Socket[] = [];
    hops = await startTwoHops({
      ca,
      tunnel,
      middle,
      origin: (s) => void s.once('data', () => asked.push(s)),
    });
    const { connect } = hops;
    return {
      talk: async () => {
        const before = asked.length;
        const client = connect();
        closing.push(() => client.destroy());
        client.on('error', () => undefined);
        client.write(ASK);
        await until(() => asked.length > before);
        return { client, origin: asked[before] as net.Socket };
      },
    };
  }

  it('a token is never held: the next one leaves when this one has come', async () => {
    const { client, origin } = await (await start()).talk();
    const heard = hear(client);
    origin.write(HEAD);
    for (let n = 0; n < 30; n++) {
      origin.write(token(n));
      await until(() => heard.text.endsWith(token(n)));
    }
    origin.write('0\r\n\r\n');
    await until(() => heard.text.endsWith('0\r\n\r\n'));
    expect((await hops?.edge.stats('in'))?.abortedTunnel).toBe(0);
  });

  it('a stalled origin stops nobody else, and its death is no answer', async () => {
    const { talk } = await start();
    const stalled = await talk();
    const how = hear(stalled.client);
    const other = await talk();
    const heard = hear(other.client);
    other.origin.end(`${HEAD}${token(1)}0\r\n\r\n`);
    await until(() => heard.text.endsWith('0\r\n\r\n'));
    stalled.origin.resetAndDestroy();
    await until(() => how.how !== null);
    expect(how).toEqual({ text: '', how: 'ECONNRESET' });
  });

  it('an origin that resets in the middle of its answer does not look complete', async () => {
    const { client, origin } = await (await start()).talk();
    const heard = hear(client);
    origin.write(HEAD + token(1));
    await until(() => heard.text.endsWith(token(1)));
    origin.resetAndDestroy();
    await until(() => heard.how !== null);
    expect(heard.how).toBe('ECONNRESET');
  });

  it('a client that stops reading holds its own origin back, and nobody else', async () => {
    const { talk } = await start();
    const deaf = await talk();
    deaf.client.pause();
    const chunk = Buffer.alloc(1024 * 1024);
    let taken = 0;
    const more = (): void => {
      for (; taken < 256 && deaf.origin.write(chunk); taken++);
    };
    deaf.origin.on('drain', more);
    more();
    const other = await talk();
    const heard = hear(other.client);
    other.origin.write(HEAD);
    for (let n = 0; n < 20; n++) {
      other.origin.write(token(n));
      await until(() => heard.text.endsWith(token(n)));
    }
    expect(taken).toBeLessThan(256);
    deaf.client.destroy();
    await once(deaf.origin.resume(), 'close').catch(() => undefined);
  });

  /** An edge whose first core is at `bad`; the second one is good, where there is one. */
  async function behind(
    bad: number,
    good: boolean,
  ): Promise<{ edge: Plane; heard: { text: string; how: string | null } }> {
    const id: Material = { ...(await ca.issueNode('n1')), ca: ca.ca };
    const { listen: inward, dial } = makeTransport(tunnel);
    const plane = async (more: Parameters<typeof makeService>[1]): Promise<Plane> => {
      const made = new Plane();
      closing.push(() => made.data.calls.stop({}));
      await made.carry([makeService('s', more)], { id });
      return made;
    };
    const origin = await listen((s) => void s.once('data', () => s.end(`${HEAD}${token(1)}0\r\n\r\n`)));
    const core = await plane({ handler: 'relay', ...inward, targets: makePool([makeNode(origin)]) });
    const nodes = [bad, ...(good ? [core.port('s')] : [])].map((port) => makeNode(port, dial));
    const cores = makePool(nodes);
    // Two tunnels: the core that may fail is behind another.
    const between = middle ? await plane({ handler: 'relay', ...inward, cores }) : null;
    const edge = await plane({
      cores: between === null ? cores : makePool([makeNode(between.port('s'), dial)]),
    });
    const client = net.connect({ port: edge.port('s'), host: HOST });
    closing.push(() => client.destroy());
    const heard = hear(client);
    client.write(ASK);
    await until(() => heard.how !== null || heard.text.endsWith('0\r\n\r\n'));
    return { edge, heard };
  }

  it('a dead core is no answer, and with another there is one', async () => {
    const dead = await deadPort();
    const { heard } = await behind(dead, true);
    expect(heard.text).toBe(`${HEAD}${token(1)}0\r\n\r\n`);
    const alone = await behind(dead, false);
    expect(alone.heard).toEqual({ text: '', how: 'ECONNRESET' });
    expect((await alone.edge.stats('s')).errors).toBe(1);
  });

  it('a core that dies in mid-handshake is no answer, and with another there is one', async () => {
    const dying = await listen((s) => void s.once('data', () => s.resetAndDestroy()));
    const alone = await behind(dying, false);
    expect(alone.heard).toEqual({ text: '', how: 'ECONNRESET' });
    // Over tcp there is no handshake: the request was under way, and may not be sent twice.
    if (tunnel === 'tcp') return;
    const { heard } = await behind(dying, true);
    expect(heard.text).toBe(`${HEAD}${token(1)}0\r\n\r\n`);
  });
});
