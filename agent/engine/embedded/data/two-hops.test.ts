import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bucketOf } from '../../../../proto/vocab/metrics.ts';
import { createTestCa, type TestCa } from '../../../../test/harness/test-ca.ts';
import { startTwoHops, type Transport, type TwoHops } from '../../../../test/harness/two-hops.ts';

let ca: TestCa;
let hops: TwoHops | null = null;

beforeAll(async () => {
  ca = await createTestCa();
});
afterEach(async () => {
  await hops?.close();
  hops = null;
});

interface Way {
  readonly tunnel: Transport;
  readonly speaks?: 'forward';
  readonly middle?: boolean;
  readonly clientTls?: boolean;
}

async function start(way: Way, origin: (s: net.Socket) => void): Promise<TwoHops> {
  hops = await startTwoHops({ ca, origin, ...way });
  return hops;
}

/** All a socket says until it ends, and how it ended: `end`, or the code of its error. */
function hear(socket: net.Socket): Promise<{ bytes: Buffer; how: string }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let how = 'close';
    socket.on('data', (c) => chunks.push(c as Buffer));
    socket.on('end', () => {
      how = 'end';
      resolve({ bytes: Buffer.concat(chunks), how });
    });
    socket.on('error', (e: NodeJS.ErrnoException) => {
      how = e.code ?? 'error';
    });
    socket.on('close', () => resolve({ bytes: Buffer.concat(chunks), how }));
  });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((r) => setTimeout(r, 5));
}

const sum = (b: Buffer): string => createHash('sha256').update(b).digest('hex');
const WAYS: readonly Way[] = [
  { tunnel: 'tls' },
  { tunnel: 'tcp' },
  { tunnel: 'tls', clientTls: true },
  { tunnel: 'tls', speaks: 'forward', middle: true },
  { tunnel: 'ws', speaks: 'forward' },
  { tunnel: 'wss', middle: true },
  { tunnel: 'mtls' },
  { tunnel: 'mtls', speaks: 'forward', middle: true },
  { tunnel: 'mwss' },
];

describe.each(WAYS)('two hops, %o', (way) => {
  it('carries 0 to 8 MB both ways at once, byte by byte, and each end on its own', async () => {
    const answers = [0, 1, 65_535, 65_537, 8 * 1024 * 1024].map((n) => randomBytes(n));
    const questions = answers.map((a) => randomBytes(a.length));
    const heard = new Map<string, Buffer>();
    let turn = 0;
    const { connect, edge, core } = await start(way, (s) => {
      const answer = answers[turn++] as Buffer;
      s.end(answer);
      void hear(s).then(({ bytes }) => heard.set(sum(answer), bytes));
    });
    for (const [i, question] of questions.entries()) {
      const client = connect();
      client.end(question);
      const { bytes, how } = await hear(client);
      expect(how).toBe('end');
      expect(sum(bytes)).toBe(sum(answers[i] as Buffer));
      await until(() => heard.has(sum(answers[i] as Buffer)));
      expect(sum(heard.get(sum(answers[i] as Buffer)) as Buffer)).toBe(sum(question));
    }
    const total = answers.reduce((n, a) => n + a.length, 0);
    for (const [plane, service] of [
      [edge, 'in'],
      [core, 'svc'],
    ] as const) {
      await until(async () => (await plane.stats(service)).streams === 0);
      expect(await plane.stats(service)).toMatchObject({
        opened: 5,
        closed: 5,
        errors: 0,
        abortedClient: 0,
        abortedOrigin: 0,
        abortedTunnel: 0,
        bytesIn: total,
        bytesOut: total,
      });
      expect((await plane.stats(service)).connect.count.reduce((a, b) => a + b, 0)).toBe(5);
    }
  });

  it.each([
    ['P', 'S'],
    ['SET a b\r\n', '+OK\r\n'],
    ['EHLO x\r\n', '220 x\r\n250 x\r\n'],
  ])('ends in good order what only begins like HTTP: %j, %j', async (question, answer) => {
    const { connect, edge, core } = await start(way, (s) => s.once('data', () => s.end(answer)));
    const client = connect();
    client.end(question);
    expect(await hear(client)).toEqual({ bytes: Buffer.from(answer), how: 'end' });
    for (const [plane, service] of [
      [edge, 'in'],
      [core, 'svc'],
    ] as const) {
      await until(async () => (await plane.stats(service)).streams === 0);
      const whole = { errors: 0, abortedClient: 0, abortedOrigin: 0, abortedTunnel: 0 };
      expect(await plane.stats(service)).toMatchObject(whole);
    }
  });

  it('hands on each chunk before the next exists', async () => {
    let origin: net.Socket | null = null;
    const { connect } = await start(way, (s) => {
      origin = s;
    });
    const client = connect();
    client.write('x');
    await until(() => origin !== null);
    let got = '';
    client.on('data', (c) => {
      got += c;
    });
    for (let k = 0; k < 50; k++) {
      (origin as unknown as net.Socket).write(`token ${k};`);
      await until(() => got.endsWith(`token ${k};`));
    }
    client.destroy();
  });

  it('keeps the other direction after a half-close', async () => {
    const { connect } = await start(way, (s) => {
      let n = 0;
      s.on('data', (c) => {
        n += c.length;
      });
      s.on('end', () => {
        s.write(`got ${n}`);
        setImmediate(() => s.end(', done'));
      });
    });
    const client = connect();
    client.end(Buffer.alloc(100_000, 1));
    expect((await hear(client)).bytes.toString()).toBe('got 100000, done');
  });

  it("turns the origin's reset in mid-answer into a reset of the client", async () => {
    const { connect, edge, core } = await start(way, (s) => {
      s.once('data', () => s.write('half an ans', () => setTimeout(() => s.resetAndDestroy(), 20)));
    });
    const client = connect();
    client.write('GET / HTTP/1.1\r\n\r\n');
    const { bytes, how } = await hear(client);
    expect(how).toBe('ECONNRESET');
    expect(bytes.toString()).toBe('half an ans');
    await until(async () => (await edge.stats('in')).streams === 0);
    // A mark on the sealed tunnel says who it was; bare TCP can only break.
    const blamed = way.tunnel !== 'tcp' ? { abortedOrigin: 1 } : { abortedTunnel: 1 };
    expect(await edge.stats('in')).toMatchObject({ closed: 1, errors: 0, ...blamed });
    expect(await core.stats('svc')).toMatchObject({ closed: 1, errors: 0, abortedOrigin: 1 });
  });

  it("turns the client's reset into a reset of the origin", async () => {
    let how: Promise<{ how: string }> | null = null;
    const { connectRaw, core, edge } = await start(way, (s) => {
      how = hear(s);
      s.write('hello');
    });
    const { socket: client, raw } = connectRaw();
    raw.on('error', () => undefined);
    client.on('error', () => undefined);
    client.write('GET / HTTP/1.1\r\n\r\n');
    await once(client, 'data');
    raw.resetAndDestroy();
    await until(() => how !== null);
    expect((await (how as unknown as Promise<{ how: string }>)).how).toBe('ECONNRESET');
    await until(async () => (await core.stats('svc')).streams === 0);
    expect(await core.stats('svc')).toMatchObject({ abortedClient: 1, abortedTunnel: 0 });
    expect(await edge.stats('in')).toMatchObject({ abortedClient: 1, abortedTunnel: 0 });
  });

  it.each(['ends', 'resets'] as const)(
    'blames the client that has left where the origin %s then',
    async (how) => {
      const { connect, core, edge } = await start(way, (s) => {
        s.once('data', () => s.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf an answer'));
        s.on('end', () => (how === 'ends' ? s.end() : s.resetAndDestroy()));
      });
      const client = connect();
      client.on('error', () => undefined);
      client.write('GET / HTTP/1.1\r\n\r\n');
      await once(client, 'data');
      client.end();
      await until(async () => (await core.stats('svc')).streams + (await edge.stats('in')).streams === 0);
      const blamed = { abortedClient: 1, abortedTunnel: 0, abortedOrigin: 0 };
      expect(await core.stats('svc')).toMatchObject(blamed);
      // Bare TCP between them does not say who broke it.
      // Bare TCP between them does not say who reset it.
      const bare = way.tunnel === 'tcp' && how === 'resets';
      expect(await edge.stats('in')).toMatchObject(bare ? { abortedTunnel: 1, abortedOrigin: 0 } : blamed);
    },
  );

  it('blames the client for a reset after its half-close', async () => {
    const { connectRaw, core, edge } = await start(way, (s) => {
      // After an end nobody reads any more: only a write finds out.
      s.on('end', () => {
        const timer = setInterval(() => s.write('token'), 5);
        s.on('close', () => clearInterval(timer));
      });
      s.resume();
    });
    const { socket: client, raw } = connectRaw();
    for (const s of [client, raw]) s.on('error', () => undefined);
    client.end('GET / HTTP/1.1\r\n\r\n');
    await once(client, 'data');
    raw.resetAndDestroy();
    await until(async () => (await core.stats('svc')).streams === 0);
    const blamed = { abortedClient: 1, abortedTunnel: 0, abortedOrigin: 0 };
    expect(await edge.stats('in')).toMatchObject(blamed);
    expect(await core.stats('svc')).toMatchObject(blamed);
  });

  it('notices a reset after a half-close though nobody says a word', async () => {
    const silent: net.Socket[] = [];
    const { connectRaw, core, edge } = await start(way, (s) => void silent.push(s.resume()));
    const { socket: client, raw } = connectRaw();
    for (const s of [client, raw]) s.on('error', () => undefined);
    client.end('GET / HTTP/1.1\r\n\r\n');
    await until(async () => (await core.stats('svc')).bytesIn > 0);
    raw.resetAndDestroy();
    await until(async () => (await core.stats('svc')).streams + (await edge.stats('in')).streams === 0);
    expect(await edge.stats('in')).toMatchObject({ abortedClient: 1, abortedTunnel: 0, abortedOrigin: 0 });
    for (const s of silent) s.destroy();
  });

  it('sees each turn of a kept connection, at the edge and at the core', async () => {
    const THINKING_MS = 60;
    let finish = (): void => undefined;
    const { connect, core, edge } = await start(way, (s) => {
      finish = () => s.write('9\r\ndata: b\n\n\r\n0\r\n\r\n');
      s.on('data', () => {
        s.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
        s.write('8\r\n: ping\n\n\r\n');
        setTimeout(() => s.write('9\r\ndata: a\n\n\r\n'), THINKING_MS);
      });
    });
    const client = connect();
    let heard = '';
    client.on('data', (c) => {
      heard += c;
    });
    for (let turn = 1; turn <= 2; turn++) {
      client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await until(() => heard.split('data: a\n').length === turn + 1);
      finish();
      await until(() => heard.split('0\r\n\r\n').length === turn + 1);
    }
    for (const [plane, service] of [
      [edge, 'in'],
      [core, 'svc'],
    ] as const) {
      const { requests, opened, ttft, gap } = await plane.stats(service);
      expect({ requests, opened }).toEqual({ requests: 2, opened: 1 });
      for (const h of [ttft, gap]) expect(h.count.reduce((a, b) => a + b, 0)).toBe(2);
      expect(ttft.index[0]).toBeGreaterThanOrEqual(bucketOf(THINKING_MS - 5));
    }
    client.destroy();
  });

  it('holds the origin back while the client does not read', async () => {
    let sent = 0;
    const block = Buffer.alloc(65_536, 7);
    const { connect } = await start(way, (s) => {
      const pump = (): void => {
        while (!s.destroyed && s.write(block)) sent += block.length;
      };
      s.on('drain', pump);
      s.once('data', pump);
    });
    const client = connect();
    client.on('error', () => undefined);
    client.pause();
    client.write('x');
    // Still at the same count a while later, and that far below what an unbounded pipe would have taken.
    let before = -1;
    await until(async () => {
      if (sent > 0 && sent === before) return true;
      before = sent;
      await new Promise((r) => setTimeout(r, 150));
      return false;
    });
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    let read = 0;
    client.on('data', (c) => {
      read += c.length;
    });
    client.resume();
    await until(() => read > before + 1024 * 1024);
    client.destroy();
  });
});
