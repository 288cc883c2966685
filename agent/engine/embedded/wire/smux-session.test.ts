import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import { AT_MOST, FIN, LEAVING, NOP, PSH, SYN, UPD, writeHeader } from './smux-frame.ts';
import { SmuxSession, type SmuxSettings } from './smux-session.ts';
import type { SmuxStream, StreamLost } from './smux-stream.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** Two ends of one TCP connection. */
async function sockets(): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = net.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    noDelay: true,
  });
  const [far] = (await once(server, 'connection')) as [net.Socket];
  await once(near, 'connect').catch(() => undefined);
  server.close();
  open.push(() => {
    near.destroy();
    far.destroy();
  });
  for (const s of [near, far]) s.on('error', () => undefined);
  return [near, far];
}

interface End {
  readonly session: SmuxSession;
  readonly socket: net.Socket;
  /** Why it was over. */
  readonly over: string[];
  readonly tick: () => void;
}

function session(socket: net.Socket, settings: SmuxSettings, onStream?: (s: SmuxStream) => void): End {
  const over: string[] = [];
  let tick = (): void => undefined;
  const made = new SmuxSession(socket, settings, {
    ...(onStream === undefined ? {} : { onStream }),
    onOver: (why) => over.push(why),
    every: (_ms, run) => {
      tick = run;
      return () => {
        tick = () => undefined;
      };
    },
  });
  return { session: made, socket, over, tick: () => tick() };
}

async function pair(
  onStream: (s: SmuxStream) => void,
  settings: Partial<SmuxSettings> = {},
): Promise<{ client: End; server: End }> {
  const [near, far] = await sockets();
  const server = session(far, { role: 'server', ...settings }, onStream);
  const client = session(near, { role: 'client', ...settings });
  return { client, server };
}

function opened(end: End): SmuxStream {
  const stream = end.session.open();
  if (stream === null) throw new Error('not opened');
  return stream;
}

/** All a stream says, and how it ended: `end`, or who cut it. */
function hear(stream: Readable): Promise<{ bytes: Buffer; how: string }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const lost = (e: StreamLost): void =>
      resolve({ bytes: Buffer.concat(chunks), how: `${e.code} ${e.by ?? 'unknown'}` });
    if (stream.errored !== null) lost(stream.errored as StreamLost);
    stream.on('data', (c: Buffer) => chunks.push(c));
    stream.on('end', () => resolve({ bytes: Buffer.concat(chunks), how: 'end' }));
    stream.on('error', lost);
    stream.resume();
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((r) => setTimeout(r, 2));
}

const sum = (b: Buffer): string => createHash('sha256').update(b).digest('hex');

function frame(cmd: number, sid: number, payload: Buffer | null = null, version: 1 | 2 = 2): Buffer {
  const b = Buffer.alloc(8);
  writeHeader(b, 0, { version, cmd, length: payload?.length ?? 0, sid });
  return payload === null ? b : Buffer.concat([b, payload]);
}

describe.each([{ version: 2 }, { version: 1 }] as const)('a session of smux $version', ({ version }) => {
  it.each([0, 1, 65_535, 65_537, 8 * 1024 * 1024])('carries %i bytes both ways at once', async (size) => {
    const question = randomBytes(size);
    const answer = randomBytes(size);
    let asked: Promise<{ bytes: Buffer; how: string }> | null = null;
    const { client, server } = await pair(
      (s) => {
        asked = hear(s);
        s.end(answer);
      },
      { version },
    );
    const stream = opened(client);
    stream.end(question);
    const got = await hear(stream);
    expect(got.how).toBe('end');
    expect(sum(got.bytes)).toBe(sum(answer));
    const heard = await (asked as unknown as Promise<{ bytes: Buffer; how: string }>);
    expect(heard.how).toBe('end');
    expect(sum(heard.bytes)).toBe(sum(question));
    await until(() => client.session.streams === 0 && server.session.streams === 0);
    expect(client.session.held + server.session.held).toBe(0);
  });

  it('ends each direction on its own', async () => {
    const { client } = await pair(
      (s) => {
        // Answers only when the question is complete.
        void hear(s).then((asked) => s.end(`${asked.how} ${asked.bytes}`));
      },
      { version },
    );
    const stream = opened(client);
    stream.write('que');
    stream.end('stion');
    expect((await hear(stream)).bytes.toString()).toBe('end question');
  });

  it.each(['client', 'origin', 'tunnel'] as const)(
    'tells that %s cut it, after what came before',
    async (by) => {
      const { client, server } = await pair(
        (s) => {
          s.write('half an ans');
          s.cut(by);
        },
        { version },
      );
      const stream = opened(client);
      expect(await hear(stream)).toEqual({ bytes: Buffer.from('half an ans'), how: `ECONNRESET ${by}` });
      await until(() => client.session.streams === 0 && server.session.streams === 0);
    },
  );

  it('loses every stream that was not complete when the connection dies or ends', async () => {
    for (const die of ['destroy', 'end'] as const) {
      const heard: Promise<{ how: string }>[] = [];
      const { client, server } = await pair(
        (s) => {
          heard.push(hear(s));
          s.write('begun');
        },
        { version },
      );
      const streams = [1, 2, 3].map(() => opened(client));
      const answers = streams.map((s) => hear(s));
      await until(() => heard.length === 3);
      // The stream's own end was not said: the carrier's is none.
      server.socket[die]();
      for (const a of [...(await Promise.all(answers)), ...(await Promise.all(heard))])
        expect(a.how).toBe('ECONNRESET unknown');
      expect(client.session.open()).toBeNull();
      expect(client.over).toHaveLength(1);
      expect(server.over).toHaveLength(1);
    }
  });
});

describe('streams beside each other', () => {
  it('go on when two downloads stall, and the stalled ones lose nothing', async () => {
    const big = randomBytes(4 * 1024 * 1024);
    const { client, server } = await pair((s) => {
      s.resume();
      s.end(big);
    });
    const ask = (): SmuxStream => opened(client).end('?');
    const stalled = [ask().pause(), ask().pause()];
    const others = await Promise.all(Array.from({ length: 20 }, () => hear(ask())));
    for (const o of others) expect([o.how, sum(o.bytes)]).toEqual(['end', sum(big)]);
    // Not a byte more than a window each is held here, and the rest stays with the server.
    expect(client.session.held).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(server.session.streams).toBe(2);
    const late = await Promise.all(stalled.map((s) => hear(s)));
    for (const o of late) expect([o.how, sum(o.bytes)]).toEqual(['end', sum(big)]);
  });

  it('are stopped in writing when the other side does not read, and only they', async () => {
    const silent: SmuxStream[] = [];
    const { client } = await pair((s) => {
      if (silent.length === 0) silent.push(s.pause());
      else s.pipe(s);
    });
    const stopped = opened(client);
    let wrote = 0;
    const chunk = Buffer.alloc(16_384, 1);
    while (stopped.write(chunk)) {
      wrote += chunk.length;
      await new Promise((r) => setImmediate(r));
    }
    expect(wrote).toBeLessThan(2 * 1024 * 1024);
    const echo = opened(client);
    echo.end('still here');
    expect((await hear(echo)).bytes.toString()).toBe('still here');
    silent[0]?.resume();
    await once(stopped, 'drain');
  });

  it('take turns: a word is not behind megabytes of the others', async () => {
    let before = 0;
    let word = '';
    const { client } = await pair((s) => {
      s.on('data', (chunk: Buffer) => {
        if (s.id === 7) word += chunk.toString();
        else if (word === '') before += chunk.length;
      });
    });
    const bulk = [opened(client), opened(client)];
    for (const s of bulk) s.write(Buffer.alloc(4 * 1024 * 1024));
    const small = opened(client);
    small.write('token');
    await until(() => word === 'token');
    // What the carrier had already taken, and a frame of each of the others.
    expect(before).toBeLessThan(512 * 1024);
  });

  it('number two thousand', async () => {
    const { client, server } = await pair((s) => s.pipe(s));
    const streams = Array.from({ length: 2_000 }, () => opened(client));
    const answers = streams.map((s) => hear(s));
    for (const [i, s] of streams.entries()) s.write(`question ${i}`);
    for (const s of streams) s.end('.');
    for (const [i, a] of (await Promise.all(answers)).entries())
      expect([a.how, a.bytes.toString()]).toEqual(['end', `question ${i}.`]);
    await until(() => client.session.streams === 0 && server.session.streams === 0);
  });

  it('send what is written within a tick, before anything else happens', async () => {
    const [near, far] = await sockets();
    const { session: s } = session(near, { role: 'client' });
    far.pause();
    const stream = s.open() as SmuxStream;
    stream.write('token');
    await Promise.resolve();
    await Promise.resolve();
    expect(near.bytesWritten).toBe(8 + 8 + 5);
  });

  it('may be cut by destroying them: the other side hears it at once, also while it writes', async () => {
    const heard: Promise<{ how: string }>[] = [];
    const { client, server } = await pair((s) => {
      heard.push(hear(s));
      s.write(Buffer.alloc(4 * 1024 * 1024));
    });
    const stream = opened(client);
    await once(stream, 'readable');
    stream.end();
    stream.destroy();
    await until(() => heard.length === 1 && server.session.streams === 0);
    // A complete question, then the cut: its reader heard the end, the writer is not left waiting.
    expect((await heard[0])?.how).toBe('end');
    const again = opened(client);
    again.destroy();
    await until(() => heard.length === 2);
    expect((await heard[1])?.how).toBe('ECONNRESET tunnel');
  });

  it('are read to the end though they were cut while nobody read', async () => {
    const big = randomBytes(200_000);
    const { client, server } = await pair((s) => {
      s.write(big);
      s.cut('origin');
    });
    const stream = opened(client);
    stream.pause();
    await until(() => client.session.streams === 0 && server.session.streams === 0);
    const heard = await hear(stream);
    expect([sum(heard.bytes), heard.how]).toEqual([sum(big), 'ECONNRESET origin']);
    expect(client.session.held).toBe(0);
  });

  it('are read by async iteration, too', async () => {
    const { client } = await pair((s) => {
      s.resume();
      s.end(randomBytes(300_000));
    });
    let bytes = 0;
    const stream = opened(client);
    stream.end();
    for await (const chunk of stream) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(300_000);
  });

  it('beyond the most allowed are refused, the others go on', async () => {
    const { client } = await pair((s) => s.pipe(s), { maxStreams: 2 });
    const two = [opened(client), opened(client)];
    expect((await hear(opened(client))).how).toBe('ECONNRESET tunnel');
    for (const s of two) {
      s.end('x');
      expect((await hear(s)).how).toBe('end');
    }
  });
});

describe('words between our own ends', () => {
  it('ask for no more streams: what is open goes on, what was under way is taken', async () => {
    const { client, server } = await pair((s) => s.pipe(s), { words: true });
    const before = opened(client);
    server.session.leave();
    // The word has not come yet.
    const underWay = opened(client);
    await until(() => client.session.leaving);
    expect(client.session.open()).toBeNull();
    for (const stream of [before, underWay]) {
      stream.end('x');
      expect((await hear(stream)).how).toBe('end');
    }
    expect([client.over, server.over]).toEqual([[], []]);
  });

  it('say how many streams have room, and say it again when that changes', async () => {
    const { client, server } = await pair((s) => s.pipe(s), { words: true, maxStreams: 2 });
    const [first] = [opened(client), opened(client)];
    await until(() => client.session.open() === null);
    first.end();
    await hear(first);
    await until(() => client.session.streams === 1);
    const third = opened(client);
    expect(client.session.open()).toBeNull();
    server.session.tune({ maxStreams: 3 });
    await until(() => client.session.open() !== null);
    server.session.tune({ maxStreams: 1 });
    third.end('x');
    expect((await hear(third)).how).toBe('end');
  });

  it('are not said to others, and mean nothing from them', async () => {
    const [near, far] = await sockets();
    const said: Buffer[] = [];
    near.on('data', (c: Buffer) => said.push(c));
    const { session: other } = session(far, { role: 'server', maxStreams: 2 }, (s) => s.end('heard'));
    other.leave();
    near.write(Buffer.concat([frame(NOP, LEAVING), frame(NOP, AT_MOST), frame(SYN, 3)]));
    await until(() => said.length > 0);
    expect(Buffer.concat(said).subarray(0, 13)).toEqual(frame(PSH, 3, Buffer.from('heard')));
    expect(other.leaving).toBe(false);
  });
});

describe('much held for slow readers', () => {
  it('narrows the windows, so that more stalled streams than fit do not stop the others', async () => {
    const [near, far] = await sockets();
    const heldBytes = 8 * 1024 * 1024;
    const client = session(near, { role: 'client', heldBytes });
    const big = Buffer.alloc(2 * 1024 * 1024);
    session(far, { role: 'server' }, (s) => {
      s.resume().once('end', () => s.end(big));
    });
    const ask = (): SmuxStream => opened(client).end('?');
    // Twelve first windows are more than a quarter of what may be held; forty more would be more than all of it. Of
    // each a frame is with its reader already.
    const stalled = Array.from({ length: 12 }, () => ask().pause());
    const first = 12 * 190 * 1024;
    await until(() => client.session.held >= first);
    for (let i = 0; i < 40; i++) stalled.push(ask().pause());
    await until(() => client.session.held >= first + 40 * 30 * 1024);
    const live = await hear(ask());
    expect([live.how, live.bytes.length]).toEqual(['end', big.length]);
    expect(client.session.held).toBeLessThan(heldBytes);
    for (const o of await Promise.all(stalled.map((s) => hear(s))))
      expect([o.how, o.bytes.length]).toEqual(['end', big.length]);
    expect(client.session.held).toBe(0);
  });

  it('stops the session when even that is too much, and it goes on with the readers', async () => {
    const [near, far] = await sockets();
    const heldBytes = 1024 * 1024;
    const client = session(near, { role: 'client', heldBytes });
    const big = Buffer.alloc(1024 * 1024);
    session(far, { role: 'server' }, (s) => {
      s.resume().once('end', () => s.end(big));
    });
    const stalled = Array.from({ length: 40 }, () => opened(client).end('?').pause());
    await until(() => client.session.held >= heldBytes);
    // Not by more than what was being read.
    expect(client.session.held).toBeLessThan(heldBytes + 128 * 1024);
    // Paused by us: its silence is no sign of death.
    for (let i = 0; i < 10; i++) client.tick();
    for (const o of await Promise.all(stalled.map((s) => hear(s))))
      expect([o.how, o.bytes.length]).toEqual(['end', big.length]);
    expect([client.session.held, client.over]).toEqual([0, []]);
  });
});

describe('over TLS', () => {
  it('is the same, and a connection that dies without a word is no end', async () => {
    const ca = await createTestCa();
    const leaf = await ca.issue('core');
    const [near, far] = await sockets();
    const there = new tls.TLSSocket(far, {
      isServer: true,
      secureContext: tls.createSecureContext({ cert: leaf.cert, key: leaf.key }),
    });
    const here = tls.connect({ socket: near, rejectUnauthorized: false });
    session(there, { role: 'server' }, (s) => s.pipe(s));
    const client = session(here, { role: 'client' });
    const big = randomBytes(3 * 1024 * 1024);
    const echo = opened(client).end(big);
    expect(sum((await hear(echo)).bytes)).toBe(sum(big));
    const cut = opened(client);
    cut.write('half');
    await once(cut.pause(), 'readable');
    // A FIN of TCP without close_notify: Node calls it a normal end.
    far.end();
    expect((await hear(cut)).how).toBe('ECONNRESET unknown');
  });
});

describe('a cut', () => {
  it('by the client, the origin or the tunnel is one, two or three empty frames before the FIN', async () => {
    for (const [i, by] of (['client', 'origin', 'tunnel'] as const).entries()) {
      const [near, far] = await sockets();
      const { session: s } = session(near, { role: 'client' });
      const got: Buffer[] = [];
      far.on('data', (c) => got.push(c as Buffer));
      (s.open() as SmuxStream).cut(by);
      const empty = Array.from({ length: i + 1 }, () => frame(PSH, 3));
      const want = Buffer.concat([frame(SYN, 3), ...empty, frame(FIN, 3)]);
      await until(() => Buffer.concat(got).length >= want.length);
      expect(Buffer.concat(got)).toEqual(want);
    }
  });

  it('is none when an empty frame is not the last', async () => {
    const [near, far] = await sockets();
    const streams: SmuxStream[] = [];
    session(far, { role: 'server' }, (s) => streams.push(s));
    near.write(
      Buffer.concat([frame(SYN, 3), frame(PSH, 3), frame(PSH, 3, Buffer.from('all')), frame(FIN, 3)]),
    );
    await until(() => streams.length === 1);
    expect(await hear(streams[0] as SmuxStream)).toEqual({ bytes: Buffer.from('all'), how: 'end' });
  });
});

describe('keepalive', () => {
  it('says NOP at every tick and gives up a peer that says nothing for longer than the time-out', async () => {
    const [near, far] = await sockets();
    const { session: s, tick, over } = session(near, { role: 'client' });
    const heard = hear(s.open() as SmuxStream);
    const got: Buffer[] = [];
    far.on('data', (c) => got.push(c as Buffer));
    tick();
    await until(() => Buffer.concat(got).length === 16);
    expect(Buffer.concat(got).toString('hex')).toBe('02000000030000000203000000000000');
    tick();
    tick();
    expect(over).toEqual([]);
    far.write(frame(3, 0));
    await once(near, 'data');
    for (let i = 0; i < 3; i++) tick();
    expect(over).toEqual([]);
    tick();
    expect(over).toEqual(['nothing was heard for 30000 ms']);
    expect((await heard).how).toBe('ECONNRESET unknown');
  });
});

describe('what is not smux', () => {
  const bad: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a stream of our own numbers', frame(SYN, 4)],
    ['a stream 0', frame(SYN, 0)],
    [
      'more than the window',
      Buffer.concat([frame(SYN, 3), ...Array.from({ length: 9 }, () => frame(PSH, 3, Buffer.alloc(32_768)))]),
    ],
    [
      'more consumed than was sent',
      Buffer.concat([frame(SYN, 3), frame(UPD, 3, Buffer.from('0100000000001000', 'hex'))]),
    ],
  ];
  it.each(bad)('ends the session: %s', async (_what, bytes) => {
    const [near, far] = await sockets();
    const streams: SmuxStream[] = [];
    const { over } = session(far, { role: 'server' }, (s) => streams.push(s.pause()));
    near.resume().write(bytes);
    await until(() => near.closed);
    expect(over).toHaveLength(1);
    for (const s of streams) expect((await hear(s)).how).toBe('ECONNRESET unknown');
  });

  it('ends the session in every one of 10,000 ways, and nothing else happens', { timeout: 30_000 }, () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    let ended = 0;
    for (let i = 0; i < 10_000; i++) {
      const carrier = new net.Socket();
      const { session: s, over } = session(carrier, { role: 'server' }, (stream) => {
        if (random(2) === 0) stream.on('data', () => undefined);
        if (random(4) === 0) stream.end('answer');
      });
      // Some good frames, a bad one, and more of anything, in chunks cut anywhere.
      const frames: Buffer[] = [];
      const version = i % 2 === 0 ? 2 : 1;
      for (let n = random(6); n > 0; n--)
        frames.push(frame([SYN, FIN, PSH][random(3)] as number, 1 + 2 * random(4), null, version));
      for (let n = random(4); n > 0; n--) frames.push(frame(PSH, 3, randomBytes(random(300)), version));
      const b = frame(
        [SYN, FIN, 3, UPD, 5 + random(250)][random(5)] as number,
        random(8),
        Buffer.alloc(1 + random(7)),
        version,
      );
      if (random(3) === 0) b[0] = 3 + random(250);
      frames.push(b, randomBytes(random(100)));
      const all = Buffer.concat(frames);
      for (let at = 0; at < all.length && over.length === 0; ) {
        const n = 1 + random(all.length);
        carrier.emit('data', all.subarray(at, at + n));
        at += n;
      }
      if (over.length === 1 && carrier.destroyed && s.streams === 0) ended += 1;
    }
    expect(ended).toBe(10_000);
  });
});

describe('a session that is closed', () => {
  it('says what was said, cuts what was open, and ends the connection', async () => {
    const heard: Promise<{ how: string; bytes: Buffer }>[] = [];
    const { client, server } = await pair((s) => {
      heard.push(hear(s));
      s.on('error', () => undefined);
    });
    const done = opened(client);
    done.end('all of it');
    const half = opened(client);
    half.write('half');
    client.session.close();
    await until(() => server.over.length === 1 && client.over.length === 1);
    expect((await Promise.all(heard)).map((h) => [h.how, h.bytes.toString()])).toEqual([
      ['end', 'all of it'],
      ['ECONNRESET tunnel', 'half'],
    ]);
    expect(client.session.open()).toBeNull();
  });
});
