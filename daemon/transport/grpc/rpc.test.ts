import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { type AddressInfo, createServer, connect as netConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { fromServiceError } from '../../../proto/link/error-map.ts';
import { AppError } from '../../../proto/vocab/errors.ts';
import { seeded } from '../../../test/fakes/traffic.ts';
import { answerOnce } from './answer-once.ts';
import type { RpcCall } from './rpc-call.ts';
import { RPC, RpcConnections } from './rpc-connections.ts';

const PATH = '/x.Y/Z';
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

type Handle = (call: RpcCall, path: string) => void;

async function serving(handle: Handle, over: Partial<typeof RPC> = {}) {
  const rpc = new RpcConnections({ ...RPC, mostBytes: 256 * 1024, ...over });
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    rpc.serve(socket, (path, call) => handle(call, path));
    toStop.push(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  toStop.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { rpc, port };
}

/** Says back what it is told, and ends with the peer. */
const echo: Handle = (call) =>
  call.listen({
    message: (m) => call.write(m),
    ended: () => call.end(),
    drain() {},
    gone() {},
  });

function grpc(port: number) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  });
  toStop.push(() => client.close());
  const asIs = (b: Buffer): Buffer => b;
  const call = client.makeBidiStreamRequest(PATH, asIs, asIs);
  const got: Buffer[] = [];
  call.on('data', (m: Buffer) => got.push(m));
  const over = new Promise<ServiceError | null>((resolve) => {
    call.on('error', (e) => resolve(e as ServiceError));
    call.on('status', (s) => s.code === 0 && resolve(null));
  });
  return { client, call, got, over };
}

function raw(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  toStop.push(() => session.destroy());
  return session;
}

const HEADERS = { ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' };
const framed = (bytes: number): Buffer => {
  const b = Buffer.alloc(5 + bytes, 0x61);
  b[0] = 0;
  b.writeUInt32BE(bytes, 1);
  return b;
};

/** What the answer's headers and trailers said; the peer ends with them, as gRPC's clients do. */
async function answer(stream: ClientHttp2Stream): Promise<Record<string, unknown>> {
  const said: Record<string, unknown> = {};
  stream.on('error', () => {});
  stream.on('response', (h) => Object.assign(said, h));
  stream.on('trailers', (h) => Object.assign(said, h));
  stream.on('end', () => stream.end());
  stream.resume();
  await new Promise((resolve) => stream.once('close', resolve));
  return said;
}

describe('a grpc-js client', () => {
  test('is heard and answered in order, messages of any length, to its end', async () => {
    const { port } = await serving(echo);
    const { call, got, over } = grpc(port);
    const sent = [0, 1, 17, 16 * 1024, 256 * 1024, 3].map((n, i) => Buffer.alloc(n, i));
    for (const m of sent) call.write(m);
    call.end();
    expect(await over).toBeNull();
    expect(got.map((m) => m.length)).toEqual(sent.map((m) => m.length));
    expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true);
  });

  test.each([
    ['before anything was said', false],
    ['after it was answered', true],
  ])('is refused in words, whatever letters those have, %s', async (_, first) => {
    const text = '100 % of 上海\nline 2 "x" 🚇';
    const fault = new AppError('conflict', text, { retryAfterMs: 1500 });
    const { port } = await serving((call) => {
      if (first) call.write(Buffer.from('one'));
      call.fail(fault);
      call.fail(new AppError('internal', 'said before'));
      call.write(Buffer.from('too late'));
    });
    const { got, over } = grpc(port);
    const error = await over;
    expect(got.map(String)).toEqual(first ? ['one'] : []);
    expect(error && fromServiceError(error)).toMatchObject({
      code: 'conflict',
      message: text,
      retryAfterMs: 1500,
    });
  });

  test('that cancels is gone, and said once', async () => {
    const gone: string[] = [];
    const { port, rpc } = await serving((call) => {
      call.listen({
        message: () => call.write(Buffer.from('x')),
        ended() {},
        drain() {},
        gone: (r) => gone.push(r),
      });
    });
    const { client, call, got } = grpc(port);
    call.write(Buffer.from('a'));
    await expect.poll(() => got.length).toBe(1);
    call.cancel();
    await expect.poll(() => gone.length).toBe(1);
    client.close();
    await expect.poll(() => rpc.size).toBe(0);
    expect(gone).toHaveLength(1);
  });
});

describe('what is no gRPC, or not ours', () => {
  test.each([
    ['compressed', Buffer.from([1, 0, 0, 0, 1, 0]), '12'],
    ['too long', framed(256 * 1024 + 1), '8'],
  ])('a message that is %s ends the call with a status', async (_, bytes, status) => {
    const reasons: string[] = [];
    const { port } = await serving((call) => {
      call.listen({ message() {}, ended() {}, drain() {}, gone: (r) => reasons.push(r) });
    });
    const stream = raw(port).request(HEADERS);
    stream.write(bytes);
    expect((await answer(stream))['grpc-status']).toBe(status);
    expect(reasons).toHaveLength(1);
  });

  test('another method or content is answered 415', async () => {
    const { port } = await serving(() => expect.unreachable());
    const session = raw(port);
    const { 'content-type': _, ...none } = HEADERS;
    for (const headers of [
      { ...HEADERS, ':method': 'GET' },
      { ...HEADERS, 'content-type': 'text/plain' },
      none,
    ]) {
      expect((await answer(session.request(headers, { endStream: true })))[':status']).toBe(415);
    }
  });

  test('one that is reset before it is answered is nobody’s fault here', async () => {
    const { port } = await serving(echo);
    const session = raw(port);
    for (const headers of [{ ...HEADERS, 'content-type': 'text/plain' }, HEADERS]) {
      const stream = session.request(headers);
      stream.on('error', () => {});
      if (stream.pending) await new Promise((resolve) => stream.once('ready', resolve));
      stream.close(2);
      await new Promise((resolve) => stream.once('close', resolve));
    }
    const stream = session.request(HEADERS);
    stream.end(framed(3));
    expect((await answer(stream))['grpc-status']).toBe('0');
  });

  test('more calls at once than are let in are refused; those there are go on', async () => {
    const { port } = await serving(echo, { mostCalls: 2 });
    const session = raw(port);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const calls = [1, 2].map(() => session.request(HEADERS));
    for (const c of calls) c.write(framed(3));
    for (const c of calls) await new Promise((resolve) => c.once('data', resolve));
    expect(session.remoteSettings.maxConcurrentStreams).toBe(2);
    for (const c of calls) c.end();
    for (const c of calls) expect((await answer(c))['grpc-status']).toBe('0');
  });
});

describe('a call of one message and one answer', () => {
  test.each([
    ['is answered', 1, '0', ''],
    ['without a message is told so', 0, '3', 'the%20request%20has%20no%20message'],
    ['with two messages is told so', 2, '3', 'one%20request%20is%20one%20message'],
  ])('%s', async (_, messages, status, text) => {
    const { port } = await serving((call) => answerOnce(call, async (m) => m));
    const stream = raw(port).request(HEADERS);
    stream.end(Buffer.concat(Array.from({ length: messages }, () => framed(3))));
    const said = await answer(stream);
    expect([said['grpc-status'], said['grpc-message'] ?? '']).toEqual([status, text]);
  });

  test('is told what went wrong', async () => {
    const { port } = await serving((call) =>
      answerOnce(call, () => Promise.reject(new AppError('not_found', 'nothing'))),
    );
    const stream = raw(port).request(HEADERS);
    stream.end(framed(3));
    expect(await answer(stream)).toMatchObject({ 'grpc-status': '5', 'grpc-message': 'nothing' });
  });
});

describe('connections', () => {
  const QUICK = { pingAfterMs: 60, answerMs: 60 };

  test('that are silent are kept as long as they answer pings', async () => {
    const { port, rpc } = await serving(echo, QUICK);
    const session = raw(port);
    let pings = 0;
    session.on('ping', () => {
      pings += 1;
    });
    const stream = session.request(HEADERS);
    await expect.poll(() => pings, { timeout: 5000 }).toBeGreaterThanOrEqual(3);
    expect(rpc.size).toBe(1);
    stream.end();
    expect((await answer(stream))['grpc-status']).toBe('0');
  });

  test('that are silent and do not answer are closed', async () => {
    const { port, rpc } = await serving(echo, QUICK);
    // Its preface and its settings, and then no word.
    const socket = netConnect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
      ]),
    );
    socket.resume();
    await expect.poll(() => rpc.size).toBe(1);
    await new Promise((resolve) => socket.once('close', resolve));
    await expect.poll(() => rpc.size).toBe(0);
  });

  test('that are drained take no new calls, and end with the last of theirs', async () => {
    const { port, rpc } = await serving(echo);
    const session = raw(port);
    const stream = session.request(HEADERS);
    stream.write(framed(3));
    await new Promise((resolve) => stream.once('data', resolve));
    const away = new Promise((resolve) => session.once('goaway', resolve));
    rpc.drain();
    await away;
    expect(rpc.size).toBe(1);
    stream.end(framed(2));
    expect((await answer(stream))['grpc-status']).toBe('0');
    await expect.poll(() => rpc.size).toBe(0);
  });

  test('that break off at any moment leave nothing behind, and the rest as it was', async () => {
    const random = seeded(7);
    const chance = (p: number): boolean => random() < p;
    let [began, over] = [0, 0];
    const { port, rpc } = await serving((call) => {
      began += 1;
      let left = true;
      call.listen({
        message(m) {
          call.write(m);
          if (chance(0.1)) call.fail(new AppError('unavailable', 'enough'));
          if (chance(0.1)) call.end();
        },
        ended: () => call.end(),
        drain() {},
        gone() {
          if (left) over += 1;
          left = false;
        },
      });
      if (chance(0.1)) call.fail(new AppError('forbidden', 'not you'));
    });
    for (let round = 0; round < 150; round++) {
      const session = raw(port);
      for (let i = 0; i < 6; i++) {
        const stream = session.request(chance(0.1) ? { ...HEADERS, 'content-type': 'text/plain' } : HEADERS);
        stream.on('error', () => {}).resume();
        for (let n = Math.floor(random() * 6); n > 0; n--) stream.write(framed(Math.floor(random() * 4000)));
        const at = random() * 8;
        if (chance(0.5)) stream.end();
        // NO_ERROR, INTERNAL_ERROR, CANCEL
        if (chance(0.4)) setTimeout(() => stream.close([0, 2, 8][Math.floor(random() * 3)]), at);
      }
      setTimeout(() => (chance(0.5) ? session.destroy() : session.socket.destroy()), random() * 10);
      if (round % 10 === 9) await sleep(12);
    }
    await expect.poll(() => rpc.size, { timeout: 10_000 }).toBe(0);
    expect(began).toBeGreaterThan(200);
    expect(over).toBe(began);
    const { call, got, over: ended } = grpc((await serving(echo)).port);
    call.write(Buffer.from('still here'));
    call.end();
    expect(await ended).toBeNull();
    expect(got.map(String)).toEqual(['still here']);
  });
});
