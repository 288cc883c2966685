import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import { SmuxSession } from './smux-session.ts';
import {
  type OpenedWebSocket,
  openWebSocket,
  WebSocketAcceptor,
  type WebSocketSettings,
  type WebSocketStream,
} from './websocket.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A clock that ticks when told. */
class Ticks {
  readonly #runs = new Set<() => void>();
  readonly every = (_ms: number, run: () => void): (() => void) => {
    this.#runs.add(run);
    return () => this.#runs.delete(run);
  };
  tick(): void {
    for (const run of [...this.#runs]) run();
  }
}

interface Served {
  readonly port: number;
  readonly ticks: Ticks;
  readonly streams: WebSocketStream[];
  readonly sockets: net.Socket[];
}

async function serve(
  onStream: (s: WebSocketStream) => void,
  settings: WebSocketSettings = {},
): Promise<Served> {
  const ticks = new Ticks();
  const streams: WebSocketStream[] = [];
  const sockets: net.Socket[] = [];
  const acceptor = new WebSocketAcceptor(settings, {
    every: ticks.every,
    onStream: (s) => {
      streams.push(s.on('error', () => undefined));
      onStream(s);
    },
  });
  const server = net.createServer({ allowHalfOpen: true }, (s) => {
    sockets.push(s.on('error', () => undefined));
    acceptor.accept(s, s);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  return { port: (server.address() as net.AddressInfo).port, ticks, streams, sockets };
}

async function ask(
  port: number,
  settings: WebSocketSettings = {},
  ticks: Ticks = new Ticks(),
): Promise<{ answer: OpenedWebSocket; socket: net.Socket }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  open.push(() => socket.destroy());
  await once(socket, 'connect');
  const host = `127.0.0.1:${port}`;
  return { answer: await openWebSocket({ socket, raw: socket, host }, settings, ticks), socket };
}

async function dial(port: number, ticks?: Ticks): Promise<{ stream: WebSocketStream; socket: net.Socket }> {
  const { answer, socket } = await ask(port, {}, ticks);
  if (!answer.ok) throw new Error(answer.why);
  answer.stream.on('error', () => undefined);
  return { stream: answer.stream, socket };
}

function hear(stream: Readable): Promise<{ bytes: Buffer; how: string }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    stream.on('data', (c: Buffer) => chunks.push(c));
    stream.on('end', () => resolve({ bytes: Buffer.concat(chunks), how: 'end' }));
    stream.on('error', (e) => resolve({ bytes: Buffer.concat(chunks), how: e.message }));
    stream.resume();
  });
}

/** The next so many bytes. */
function collect(stream: Readable, size: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let got = 0;
    const take = (c: Buffer): void => {
      chunks.push(c);
      got += c.length;
      if (got >= size) done();
    };
    const done = (): void => {
      stream.off('data', take);
      resolve(Buffer.concat(chunks));
    };
    if (size === 0) done();
    else stream.on('data', take).resume();
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((r) => setTimeout(r, 2));
}

const sum = (b: Buffer): string => createHash('sha256').update(b).digest('hex');

describe('bytes over a WebSocket', () => {
  it.each([0, 1, 65_535, 65_537, 8 * 1024 * 1024])('%i of them arrive both ways at once', async (size) => {
    const question = randomBytes(size);
    const answer = randomBytes(size);
    const { port, streams } = await serve((s) => s.write(answer));
    const { stream } = await dial(port);
    stream.write(question);
    const there = collect(stream, size);
    await until(() => streams.length === 1);
    const here = collect(streams[0] as WebSocketStream, size);
    expect(sum(await there)).toBe(sum(answer));
    expect(sum(await here)).toBe(sum(question));
    // One end is the end of both.
    const end = hear(streams[0] as WebSocketStream);
    stream.end();
    expect((await end).how).toBe('end');
    expect((await hear(stream)).how).toBe('end');
  });

  it('leave in messages of 64 KB at most, in the tick they are written', async () => {
    const { port } = await serve((s) => {
      s.write('token');
      s.write(Buffer.alloc(200_000));
    });
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, { perMessageDeflate: true });
    open.push(() => ws.terminate());
    const sizes: number[] = [];
    ws.on('message', (data: Buffer, binary) => sizes.push(binary ? data.length : -1));
    await until(() => sizes.length === 5);
    expect(sizes).toEqual([5, 65_536, 65_536, 65_536, 3_392]);
    expect(ws.extensions).toBe('');
  });

  it('wait for a reader: neither side piles them up', async () => {
    const { port, streams } = await serve((s) => s.pause());
    const { stream, socket } = await dial(port);
    await until(() => streams.length === 1);
    let wrote = 0;
    const chunk = randomBytes(64 * 1024);
    const fill = async (): Promise<void> => {
      while (stream.write(chunk)) {
        wrote += chunk.length;
        await new Promise((r) => setImmediate(r));
      }
    };
    await fill();
    // What the kernel takes is its own; in here is little more than a write ahead.
    expect(socket.writableLength + stream.writableLength).toBeLessThan(512 * 1024);
    expect((streams[0] as WebSocketStream).readableLength).toBeLessThan(512 * 1024);
    const drain = once(stream, 'drain');
    const heard = collect(streams[0] as WebSocketStream, wrote + chunk.length);
    streams[0]?.resume();
    await drain;
    expect((await heard).length).toBe(wrote + chunk.length);
  });

  it('carry a smux session', async () => {
    const { every } = new Ticks();
    const { port } = await serve((s) => {
      new SmuxSession(s, { role: 'server' }, { every, onOver: () => undefined, onStream: (x) => x.pipe(x) });
    });
    const { stream } = await dial(port);
    const session = new SmuxSession(stream, { role: 'client' }, { every, onOver: () => undefined });
    const big = randomBytes(3 * 1024 * 1024);
    const echo = session.open();
    echo?.end(big);
    const heard = await hear(echo as Readable);
    expect([heard.how, sum(heard.bytes)]).toEqual(['end', sum(big)]);
  });
});

describe('the end of a WebSocket', () => {
  it('is one without a Close frame, too', async () => {
    const { port, sockets } = await serve((s) => s.write('all'));
    const { stream } = await dial(port);
    const heard = hear(stream);
    await once(stream, 'data');
    sockets[0]?.end();
    expect(await heard).toEqual({ bytes: Buffer.from('all'), how: 'end' });
  });

  it('is none when the connection is reset, or the stream destroyed', async () => {
    const { port, streams } = await serve((s) => s.write('half'));
    const { stream } = await dial(port);
    const heard = hear(stream);
    await once(stream, 'data');
    streams[0]?.destroy();
    const { bytes, how } = await heard;
    expect(bytes.toString()).toBe('half');
    expect(how).toMatch(/ECONNRESET/);
  });

  it('is none either when TLS is in between, and both sockets are gone', async () => {
    const ca = await createTestCa();
    const { cert, key } = await ca.issue('core');
    const secureContext = tls.createSecureContext({ cert, key });
    const taken: WebSocketStream[] = [];
    const { every } = new Ticks();
    const acceptor = new WebSocketAcceptor({}, { every, onStream: (s) => taken.push(s) });
    const raws: net.Socket[] = [];
    const server = net.createServer({ allowHalfOpen: true }, (raw) => {
      raws.push(raw.on('error', () => undefined));
      acceptor.accept(new tls.TLSSocket(raw, { isServer: true, secureContext }), raw);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => server.close());
    const raw = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' });
    raws.push(raw.on('error', () => undefined));
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false });
    const opened = await openWebSocket({ socket, raw, host: 'core' }, {}, { every });
    if (!opened.ok) throw new Error(opened.why);
    await until(() => taken.length === 1);
    opened.stream.write('half');
    const heard = hear(taken[0] as WebSocketStream);
    await once(taken[0] as WebSocketStream, 'data');
    opened.stream.destroy();
    const { bytes, how } = await heard;
    expect([bytes.toString(), how === 'end']).toEqual(['half', false]);
    await until(() => raws.every((r) => r.closed));
  });

  it('is none when it speaks text', async () => {
    const { port, streams } = await serve(() => undefined);
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    ws.on('error', () => undefined);
    await once(ws, 'open');
    const heard = hear(streams[0] as WebSocketStream);
    ws.send('hello');
    expect((await heard).how).toBe('a text message in a stream of bytes');
  });
});

describe('pings', () => {
  it('unanswered for two times the ttl drop the peer, also when nothing can be sent to it', async () => {
    for (const blocked of [false, true]) {
      const { port, ticks, streams } = await serve((s) => s.resume());
      const socket = net.connect({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      open.push(() => socket.destroy());
      // A peer that shakes hands and then neither reads nor speaks.
      socket.write(
        'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
      await until(() => streams.length === 1);
      const stream = streams[0] as WebSocketStream;
      const heard = hear(stream);
      while (blocked && stream.write(Buffer.alloc(1024 * 1024)));
      ticks.tick();
      ticks.tick();
      expect(stream.destroyed).toBe(false);
      ticks.tick();
      expect((await heard).how).toBe('the other side of the WebSocket answers no pings');
    }
  });

  it('answered, or anything said, keep it', async () => {
    const { port, ticks, streams } = await serve((s) => s.resume());
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    open.push(() => ws.terminate());
    let pings = 0;
    ws.on('ping', () => {
      pings += 1;
    });
    await once(ws, 'open');
    await until(() => streams.length === 1);
    const stream = streams[0] as WebSocketStream;
    for (let i = 1; i <= 5; i++) {
      ticks.tick();
      await until(() => pings === i);
      // Behind the pong, so that it was heard when this is.
      ws.send('x', { binary: true });
      await once(stream, 'data');
    }
    expect(stream.destroyed).toBe(false);
  });

  it('are answered unasked while our reader is slow, and nobody is dropped for it', async () => {
    const { port, streams, ticks } = await serve((s) => s.pause());
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
    open.push(() => ws.terminate());
    await once(ws, 'open');
    await until(() => streams.length === 1);
    ws.send(Buffer.alloc(128 * 1024));
    ws.send(Buffer.alloc(128 * 1024));
    await until(() => (streams[0] as WebSocketStream).readableLength >= 128 * 1024);
    let pongs = 0;
    ws.on('pong', () => {
      pongs += 1;
    });
    for (let i = 0; i < 5; i++) ticks.tick();
    await until(() => pongs === 5);
    expect(streams[0]?.destroyed).toBe(false);
  });
});

describe('the handshake', () => {
  it('is refused in words', async () => {
    const { port } = await serve(() => undefined);
    const { answer } = await ask(port, { path: '/other' });
    expect(answer).toEqual({ ok: false, why: 'no WebSocket: Unexpected server response: 400' });
    const { answer: bad } = await ask(port, { path: '/a#b' });
    expect(bad.ok).toBe(false);
  });

  it('is no page', async () => {
    const { port } = await serve(() => undefined);
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.write('GET /ws HTTP/1.1\r\nHost: x\r\n\r\n');
    const { bytes } = await hear(socket);
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('must come in time', async () => {
    const { port } = await serve(() => undefined, { handshakeMs: 20 });
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.write('GET /ws HTTP/1.1\r\nHost:');
    expect((await hear(socket)).bytes.length).toBe(0);
  });

  it('of a server that says nothing is given up', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    expect((await ask(port, { handshakeMs: 20 })).answer).toEqual({
      ok: false,
      why: 'no WebSocket: no answer in 20 ms',
    });
  });
});
