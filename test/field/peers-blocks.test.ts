import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SmuxVersion } from '../../agent/engine/embedded/wire/smux-frame.ts';
import { SmuxSession } from '../../agent/engine/embedded/wire/smux-session.ts';
import type { StreamLost } from '../../agent/engine/embedded/wire/smux-stream.ts';
import { openWebSocket, WebSocketAcceptor } from '../../agent/engine/embedded/wire/websocket.ts';
import { buildGoPeer, type GoPeer } from '../harness/go-peer.ts';
import { createTestCa, writeIdentity } from '../harness/test-ca.ts';

// The tunnel's building blocks against the libraries that gost stands on, ours on either side.

const MB = 1024 * 1024;
const SIZES = [0, 1, 65_535, 65_537, 8 * MB];

let peer: GoPeer;
let identity: Awaited<ReturnType<typeof writeIdentity>>;
let context: tls.SecureContext;
beforeAll(async () => {
  peer = await buildGoPeer();
  const ca = await createTestCa();
  identity = await writeIdentity(ca, 'peer');
  context = tls.createSecureContext({ ...(await ca.issueNode('ours')), ca: ca.ca });
}, 180_000);
afterAll(async () => {
  await peer.remove();
  await identity.remove();
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

type Transport = 'mtls' | 'mws' | 'ws';

interface Way {
  readonly transport: Transport;
  readonly mux: SmuxVersion;
  /** Which side is ours: the one that opens streams, or the one that takes them. */
  readonly ours: 'edge' | 'core';
}

interface Rig {
  /** A new stream to the origin. */
  readonly open: () => Promise<Duplex>;
  /** Ends the Go side without a word. */
  readonly kill: () => void;
  /** A keepalive tick of every session of ours. */
  readonly tick: () => void;
}

const runs = new Set<() => void>();
const every = (_ms: number, run: () => void): (() => void) => {
  runs.add(run);
  return () => runs.delete(run);
};

async function listen(onSocket: (s: net.Socket) => void): Promise<string> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (s) => {
    sockets.add(s.on('error', () => undefined));
    onSocket(s);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.close();
    for (const s of sockets) s.destroy();
  });
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function connect(at: string): Promise<net.Socket> {
  const port = Number(at.split(':')[1]);
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  socket.on('error', () => undefined);
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function start(...args: string[]): Promise<{ at: string; kill: () => void }> {
  const { certFile, keyFile, caFile } = identity;
  const running = await peer.start(...args, '-cert', certFile, '-key', keyFile, '-ca', caFile);
  const kill = (): void => void running.stop();
  closers.push(kill);
  return { at: `127.0.0.1:${running.port}`, kill };
}

async function rig(way: Way, origin: (s: Duplex) => void): Promise<Rig> {
  const tick = (): void => {
    for (const run of [...runs]) run();
  };
  const common = [
    '-listen',
    '127.0.0.1:0',
    '-transport',
    way.transport,
    '-mux',
    `${way.mux}`,
    '-mode',
    'forward',
  ];
  const quiet = (s: Duplex): Duplex => s.on('error', () => undefined);
  if (way.ours === 'edge') {
    const target = await listen(origin);
    const { at, kill } = await start('core', ...common, '-target', target);
    const carrier = async (): Promise<Duplex> => {
      const socket = await connect(at);
      if (way.transport === 'mtls')
        return tls.connect({ socket, secureContext: context, rejectUnauthorized: false });
      const opened = await openWebSocket({ socket, raw: socket, host: at }, {}, { every });
      if (!opened.ok) throw new Error(opened.why);
      return opened.stream;
    };
    if (way.transport === 'ws') return { open: async () => quiet(await carrier()), kill, tick };
    const session = new SmuxSession(
      await carrier(),
      { role: 'client', version: way.mux },
      { every, onOver: () => undefined },
    );
    const open = async (): Promise<Duplex> => {
      const stream = session.open();
      if (stream === null) throw new Error(`not opened: ${session.over}`);
      return stream;
    };
    return { open, kill, tick };
  }
  const serve = (carrier: Duplex): void => {
    new SmuxSession(carrier, { role: 'server' }, { every, onOver: () => undefined, onStream: origin });
  };
  const acceptor = new WebSocketAcceptor(
    {},
    { every, onStream: (s) => (way.transport === 'ws' ? origin(quiet(s)) : serve(s)) },
  );
  const secured = (s: net.Socket): Duplex =>
    new tls.TLSSocket(s, { isServer: true, secureContext: context, requestCert: true });
  const at = await listen((s) => (way.transport === 'mtls' ? serve(secured(s)) : acceptor.accept(s, s)));
  const { at: edge, kill } = await start('edge', ...common, '-dial', at);
  return { open: () => connect(edge), kill, tick };
}

function hear(stream: Duplex): Promise<{ bytes: number; sum: string; how: string }> {
  return new Promise((resolve) => {
    const hash = createHash('sha256');
    let bytes = 0;
    const tell = (how: string): void => resolve({ bytes, sum: hash.copy().digest('hex'), how });
    stream.on('data', (c: Buffer) => {
      bytes += c.length;
      hash.update(c);
    });
    stream.on('end', () => tell('end'));
    stream.on('error', (e: Partial<StreamLost>) => tell(e.code ?? 'error'));
    stream.resume();
  });
}

/** The next so many bytes, hashed; nothing is ended. */
function collect(stream: Duplex, size: number): Promise<string> {
  return new Promise((resolve) => {
    const hash = createHash('sha256');
    let got = 0;
    const take = (c: Buffer): void => {
      got += c.length;
      hash.update(c);
      if (got < size) return;
      stream.off('data', take);
      resolve(hash.digest('hex'));
    };
    if (size === 0) resolve(hash.digest('hex'));
    else stream.on('data', take).resume();
  });
}

const sum = (b: Buffer): string => createHash('sha256').update(b).digest('hex');
const named = (way: Way): Way & { toString(): string } => ({
  ...way,
  toString: () => `${way.transport}${way.transport === 'ws' ? '' : ` v${way.mux}`}, ours is the ${way.ours}`,
});

const MUXED = (['mtls', 'mws'] as const)
  .flatMap((transport) => ([1, 2] as const).map((mux) => ({ transport, mux })))
  .flatMap((t) => (['edge', 'core'] as const).map((ours) => named({ ...t, ours })));
const PLAIN = (['edge', 'core'] as const).map((ours) => named({ transport: 'ws', mux: 2, ours }));

describe.each(MUXED.map((w) => [`${w}`, w] as const))('smux over %s', (_name, way) => {
  it('carries 0 to 8 MB both ways at once, and each end on its own', async () => {
    for (const size of SIZES) {
      const question = randomBytes(size);
      const answer = randomBytes(size);
      let asked: ReturnType<typeof hear> | null = null;
      const { open } = await rig(way, (s) => {
        asked = hear(s);
        s.end(answer);
      });
      const stream = await open();
      stream.end(question);
      expect(await hear(stream)).toEqual({ bytes: size, sum: sum(answer), how: 'end' });
      expect(await asked).toEqual({ bytes: size, sum: sum(question), how: 'end' });
    }
  });

  it('lets an answer begin after the end of the question', async () => {
    const { open } = await rig(way, (s) => {
      void hear(s).then((q) => s.end(`${q.how} after ${q.bytes}`));
    });
    const stream = await open();
    stream.end('a question');
    expect((await hear(stream)).sum).toBe(sum(Buffer.from('end after 10')));
  });

  it('brings every word at once', async () => {
    const { open } = await rig(way, (s) => s.pipe(s));
    const stream = await open();
    for (let i = 0; i < 200; i++) {
      const word = `token ${i}`;
      const back = collect(stream, word.length);
      stream.write(word);
      expect(await back).toBe(sum(Buffer.from(word)));
    }
  });

  it('carries 300 streams at once', async () => {
    const { open, tick } = await rig(way, (s) => s.pipe(s));
    const big = randomBytes(100_000);
    const all = Array.from({ length: 300 }, async () => {
      const stream = await open();
      stream.end(big);
      return hear(stream);
    });
    // NOPs in between mean nothing.
    tick();
    for (const heard of await Promise.all(all))
      expect(heard).toEqual({ bytes: 100_000, sum: sum(big), how: 'end' });
  });

  it('goes on after a stream was cut: to a Go peer a cut is an end', async () => {
    const cut: Promise<{ how: string }>[] = [];
    const { open } = await rig(way, (s) => {
      if (cut.length === 0 && way.ours === 'core') {
        cut.push(hear(s));
        s.write('half');
        setTimeout(() => s.destroy(), 20);
      } else if (cut.length === 0) cut.push(hear(s));
      else s.pipe(s);
    });
    const first = await open();
    first.write('question');
    if (way.ours === 'edge') {
      await sleep(50);
      first.destroy();
      expect((await cut[0])?.how).toBe('end');
    } else expect((await hear(first)).how).toBe('end');
    const stream = await open();
    stream.end('still there');
    expect((await hear(stream)).sum).toBe(sum(Buffer.from('still there')));
  });

  it('loses its streams when the peer is killed', async () => {
    const there: ReturnType<typeof hear>[] = [];
    const { open, kill } = await rig(way, (s) => {
      there.push(hear(s));
      s.write('begun');
    });
    const stream = await open();
    stream.write('begun');
    await once(stream, 'readable');
    const here = hear(stream);
    kill();
    expect((await (way.ours === 'edge' ? here : (there[0] as typeof here))).how).toBe('ECONNRESET');
  });
});

describe.each(MUXED.filter((w) => w.mux === 2).map((w) => [`${w}`, w] as const))(
  'beside each other over %s',
  (_n, way) => {
    it('twenty downloads go on while two stall, and the stalled lose nothing', async () => {
      const big = randomBytes(32 * MB);
      const some = randomBytes(MB);
      const { open } = await rig(way, (s) => {
        s.once('data', (first: Buffer) => s.end(first.toString() === 'big' ? big : some));
        s.resume();
      });
      const ask = async (what: string): Promise<Duplex> => {
        const stream = (await open()).pause();
        stream.end(what);
        return stream;
      };
      const stalled = [await ask('big'), await ask('big')];
      await sleep(300);
      const others = await Promise.all(Array.from({ length: 20 }, async () => hear(await ask('some'))));
      for (const heard of others) expect(heard).toEqual({ bytes: MB, sum: sum(some), how: 'end' });
      for (const heard of await Promise.all(stalled.map(hear)))
        expect(heard).toEqual({ bytes: big.length, sum: sum(big), how: 'end' });
    });

    it('twenty uploads go on while two are not read', async () => {
      const some = randomBytes(MB);
      const unread: Duplex[] = [];
      const { open } = await rig(way, (s) => {
        if (unread.length < 2) unread.push(s.pause());
        else void hear(s).then((q) => s.end(q.sum));
      });
      const stuck = [await open(), await open()];
      for (const s of stuck) s.write(randomBytes(32 * MB));
      while (unread.length < 2) await sleep(10);
      await sleep(300);
      for (const s of stuck) expect(s.writableLength).toBeGreaterThan(0);
      const others = Array.from({ length: 20 }, async () => {
        const stream = await open();
        stream.end(some);
        return hear(stream);
      });
      const told = sum(Buffer.from(sum(some)));
      for (const heard of await Promise.all(others)) expect(heard.sum).toBe(told);
    });
  },
);

describe.each(PLAIN.map((w) => [`${w}`, w] as const))('bytes over %s', (_name, way) => {
  it('arrive, 0 to 8 MB both ways at once', async () => {
    for (const size of SIZES) {
      const question = randomBytes(size);
      const answer = randomBytes(size);
      const there: Duplex[] = [];
      const asked: Promise<string>[] = [];
      const { open } = await rig(way, (s) => {
        there.push(s);
        asked.push(collect(s, size));
        s.write(answer);
      });
      const stream = await open();
      stream.write(question);
      expect(await collect(stream, size)).toBe(sum(answer));
      while (there.length === 0) await sleep(5);
      expect(await asked[0]).toBe(sum(question));
      // Our end is the end of both; a Go peer takes its ten seconds between one and the other.
      const far = there[0] as Duplex;
      const [ends, hears] = way.ours === 'edge' ? [stream, far] : [far, stream];
      const heard = hear(hears);
      ends.end();
      expect((await heard).how).toBe('end');
    }
  });

  it('are pinged and stay', async () => {
    const { open, tick } = await rig(way, (s) => s.pipe(s));
    const stream = await open();
    for (let i = 0; i < 6; i++) {
      const back = collect(stream, 4);
      stream.write('ping');
      await back;
      tick();
      await sleep(20);
    }
    const back = collect(stream, 4);
    stream.write('done');
    expect(await back).toBe(sum(Buffer.from('done')));
  });

  it('stop when nobody reads, and go on', async () => {
    const big = randomBytes(32 * MB);
    const { open } = await rig(way, (s) => {
      s.write(big);
    });
    const stream = (await open()).pause();
    await sleep(300);
    expect(stream.readableLength).toBeLessThan(2 * MB);
    expect(await collect(stream, big.length)).toBe(sum(big));
  });
});
