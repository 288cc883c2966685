import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestCa } from '../../../../test/harness/test-ca.ts';
import {
  makeNode,
  makePool,
  makeService,
  makeTransport,
  Plane,
  type Transport,
} from '../../../../test/harness/two-hops.ts';
import type { Material } from './messages.ts';

// Settings of listeners and dialers that change under live streams: nothing closes, and what is new has the new value.

const HOST = '127.0.0.1';
const MB = 1024 * 1024;
let id: Material;
let planes: Plane[];
let servers: net.Server[];
let sockets: net.Socket[];

beforeEach(async () => {
  const ca = await createTestCa();
  id = { ...(await ca.issueNode('n1')), ca: ca.ca };
  [planes, servers, sockets] = [[], [], []];
});

afterEach(async () => {
  for (const s of sockets) s.destroy();
  for (const p of planes) await p.data.calls.stop({});
  for (const s of servers) s.close();
});

function plane(): Plane {
  const made = new Plane();
  planes.push(made);
  return made;
}

async function origin(live: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (s) => {
    sockets.push(s.on('error', () => undefined));
    live(s);
  });
  servers.push(server);
  await new Promise<void>((r) => server.listen(0, HOST, r));
  return (server.address() as net.AddressInfo).port;
}

function connect(port: number): net.Socket {
  const socket = net.connect({ port, host: HOST }).on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((r) => setTimeout(r, 5));
}

/** Writes as much as is taken; how much that was so far. */
function fill(socket: net.Socket): () => number {
  const chunk = Buffer.alloc(256 * 1024);
  let sent = 0;
  const more = (): void => {
    while (!socket.writableNeedDrain && sent < 100 * MB) {
      socket.write(chunk);
      sent += chunk.length;
    }
  };
  socket.on('drain', more);
  more();
  return () => socket.bytesWritten - socket.writableLength;
}

/** What it comes to when nothing is taken any more. */
async function most(taken: () => number): Promise<number> {
  let before = -1;
  for (let still = 0; still < 10; ) {
    await new Promise((r) => setTimeout(r, 20));
    still = taken() === before ? still + 1 : 0;
    before = taken();
  }
  return before;
}

const SMALL = 4 * 1024;
const BIG = 16 * MB;

describe.each(['tcp', 'tls', 'ws', 'wss', 'mtls', 'mwss'] as const)('readBufferSize over %s', (type) => {
  it('is what is read ahead of a slow reader, from the next stream on', { timeout: 60_000 }, async () => {
    const { listen, dial } = makeTransport(type);
    // What a client says first: whether the origin reads nothing more, fills, or says back.
    const filled: (() => number)[] = [];
    const port = await origin((s) => {
      s.once('data', (word) => {
        s.pause();
        if (String(word).startsWith('fill')) filled.push(fill(s));
        else if (String(word).startsWith('echo')) s.pipe(s);
      });
    });
    const [core, edge] = [plane(), plane()];
    const carry = async (bytes: { listener: number; dialer: number }): Promise<void> => {
      const targets = makePool([makeNode(port)]);
      const inward = { ...listen.over, bufferBytes: bytes.listener };
      await core.carry([makeService('svc', { handler: 'relay', ...listen, over: inward, targets })], { id });
      const outward = { ...dial.over, bufferBytes: bytes.dialer };
      const cores = makePool([makeNode(core.port('svc'), { ...dial, over: outward })]);
      await edge.carry([makeService('in', { cores })], { id });
    };
    // The origin does not read.
    const up = (): (() => number) => {
      const socket = connect(edge.port('in'));
      socket.write('hold');
      return fill(socket);
    };
    // The client does not read.
    const down = async (): Promise<() => number> => {
      const before = filled.length;
      connect(edge.port('in')).pause().write('fill');
      await until(() => filled.length > before);
      return () => filled[before]?.() ?? 0;
    };
    await carry({ listener: SMALL, dialer: SMALL });
    const lasting = connect(edge.port('in'));
    lasting.write('echo');
    const [leastUp, leastDown] = [await most(up()), await most(await down())];
    await carry({ listener: BIG, dialer: SMALL });
    const more = up();
    await until(() => more() > leastUp + BIG / 2);
    await carry({ listener: SMALL, dialer: BIG });
    const further = await down();
    await until(() => further() > leastDown + BIG / 2);
    lasting.write('still');
    expect(String((await once(lasting, 'data'))[0])).toBe('still');
  });
});

describe.each(['mtls', 'mwss'] as const satisfies Transport[])('maxStreams over %s', (type) => {
  it('leaves no stream to a full session: it goes to another, or to the next core', async () => {
    const { listen, dial } = makeTransport(type);
    const over = { ...dial.over, sessions: 2 };
    const [a, b, edge] = [plane(), plane(), plane()];
    const carry = (core: Plane, name: string, most: number): Promise<void> =>
      origin((s) => s.write(name)).then((port) =>
        core.carry(
          [
            makeService('svc', {
              handler: 'relay',
              ...listen,
              over: { ...listen.over, maxStreams: most },
              targets: makePool([makeNode(port)]),
            }),
          ],
          { id },
        ),
      );
    await carry(a, 'A', 2);
    await carry(b, 'B', 100);
    const cores = [a, b].map((p) => makeNode(p.port('svc'), { ...dial, over }));
    await edge.carry([makeService('in', { cores: makePool(cores, { maxFails: 1000 }) })], { id });
    const ask = async (): Promise<string> => {
      const socket = connect(edge.port('in'));
      return String((await once(socket, 'data'))[0]);
    };
    // Both sessions have said what they have room for, before they are full.
    await edge.data.calls.confirm({});
    const told: string[] = [];
    for (let i = 0; i < 6; i++) told.push(await ask());
    expect(told).toEqual(['A', 'A', 'A', 'A', 'B', 'B']);
    const { port } = (servers[0] as net.Server).address() as net.AddressInfo;
    const services = [
      makeService('svc', {
        handler: 'relay',
        ...listen,
        over: { ...listen.over, maxStreams: 3 },
        targets: makePool([makeNode(port)]),
      }),
    ];
    const done = await a.data.calls.commit({ services, materials: { id } });
    expect(done).toMatchObject({ kept: ['svc'], opened: [], closed: [] });
    await until(async () => (await ask()) === 'A');
    await until(async () => (await ask()) === 'B');
    expect((await a.stats('svc')).streams).toBe(6);
    expect((await edge.stats('in')).errors).toBe(0);
  });
});
