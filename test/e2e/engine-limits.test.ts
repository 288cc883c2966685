import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import { HOST, LiveEngine, namedOrigin, release } from '../harness/live-engine.ts';

// Limits of an engine of several processes hold for the node: whichever takes a connection, and whichever dies.

let live: LiveEngine;
let origin: { port: number; close: () => void };
let port: number;
let open: Guest[];

/** A connection: what became of it, and how much it has heard. */
interface Guest {
  readonly socket: net.Socket;
  readonly settled: Promise<void>;
  at: 'knocking' | 'in' | 'out';
  heard: number;
}

beforeEach(async () => {
  open = [];
  origin = await namedOrigin('A');
  [port = 0] = await freePorts(1);
});

afterEach(async () => {
  for (const g of open) g.socket.destroy();
  await live.stop();
  origin.close();
});

function knock(): Guest {
  const socket = net.connect(port, HOST);
  const settled = Promise.withResolvers<void>();
  const guest: Guest = { socket, settled: settled.promise, at: 'knocking', heard: 0 };
  socket.on('error', () => undefined);
  socket.on('data', (c) => {
    guest.heard += c.length;
    if (guest.at === 'knocking') guest.at = 'in';
    settled.resolve();
  });
  socket.on('close', () => {
    guest.at = 'out';
    settled.resolve();
  });
  open.push(guest);
  return guest;
}

/** So many at once, until each is in or refused. */
async function storm(n: number): Promise<void> {
  await Promise.all(Array.from({ length: n }, () => knock().settled));
}

const inside = (): Guest[] => open.filter((g) => g.at === 'in');

function leave(n: number): void {
  for (const g of inside().slice(0, n)) {
    g.at = 'out';
    g.socket.destroy();
  }
}

async function start(workers: number, limits: string): Promise<void> {
  live = await LiveEngine.start(workers);
  const [kind, ...lines] = limits.split('|');
  await live.apply(`services:
  - {name: s, addr: "${HOST}:${port}", handler: {type: tcp}, listener: {type: tcp}, ${kind?.slice(0, -1)}: l, forwarder: {nodes: [{name: o, addr: "${HOST}:${origin.port}"}]}}
${kind}: [{name: l, limits: [${lines.map((l) => `"${l}"`).join(', ')}]}]
`);
}

/** Places are free again a moment after their connections are gone; never more than there are. */
async function fillUpTo(most: number): Promise<void> {
  while (inside().length < most) {
    await storm(20);
    expect(inside().length).toBeLessThanOrEqual(most);
  }
  await storm(200);
  expect(inside()).toHaveLength(most);
}

describe.each([2, 4])('%i workers', (workers) => {
  it.each(['climiters|$ 10', 'climiters|$$ 10'])('%s: of 200 at once exactly 10 are in', async (limits) => {
    await start(workers, limits);
    await storm(200);
    expect(inside()).toHaveLength(10);
    leave(4);
    await fillUpTo(10);
  });

  it('rlimiters: never more than a burst and the rate since', async () => {
    await start(workers, 'rlimiters|$ 20');
    const began = performance.now();
    for (let i = 0; i < 5; i++) {
      await storm(100);
      const seconds = (performance.now() - began) / 1000;
      expect(inside().length).toBeLessThanOrEqual(20 + 20 * seconds);
      await sleep(200);
    }
    expect(inside().length).toBeGreaterThanOrEqual(20);
  });
});

describe('places of the node', () => {
  it('are free when the worker that held them dies', async () => {
    await start(4, 'climiters|$ 40');
    await storm(200);
    expect(inside()).toHaveLength(40);
    const { data } = await live.pids();
    for (const [i, pid] of data.slice(0, 2).entries()) {
      process.kill(pid, 'SIGKILL');
      await live.until((info) => info.restarts === i + 1 && info.workers?.length === 4);
      await fillUpTo(40);
    }
  });

  it('are known to a control that comes after one that was killed', async () => {
    await start(4, 'climiters|$ 10');
    await storm(200);
    const { control } = await live.pids();
    process.kill(control, 'SIGKILL');
    await live.until((i) => i.restarts === 1);
    await storm(200);
    expect(inside()).toHaveLength(10);
    leave(6);
    await fillUpTo(10);
  });

  it('are counted over an upgrade, those of the workers on their way out too', async () => {
    await start(2, 'climiters|$ 10');
    await storm(200);
    let going = true;
    const meanwhile = (async () => {
      while (going) {
        await storm(10);
        expect(inside()).toHaveLength(10);
      }
    })();
    await live.engine.upgrade({ exec: await release(live, '0.2.0'), deadlineMs: 600_000 });
    await live.until((i) => i.version === '0.2.0');
    going = false;
    await meanwhile;
    await storm(200);
    expect(inside()).toHaveLength(10);
    leave(6);
    await fillUpTo(10);
  });
});

describe('bandwidth', () => {
  const RATE = 2 * 1024 * 1024;

  it('of four workers together is what is written', async () => {
    const source = net.createServer((s) => {
      const block = Buffer.alloc(65_536);
      const pour = (): void => {
        while (s.writable && s.write(block));
      };
      s.on('error', () => undefined);
      s.on('drain', pour);
      pour();
    });
    await new Promise<void>((r) => source.listen(0, HOST, r));
    origin.close();
    origin = { port: (source.address() as net.AddressInfo).port, close: () => source.close() };
    await start(4, 'limiters|$ 0 2MB');
    const began = performance.now();
    await storm(16);
    const bytes = async (): Promise<number> => (await live.engine.stats()).services[0]?.bytesOut ?? 0;
    for (let i = 0; i < 10; i++) {
      await sleep(500);
      const out = await bytes();
      // Ahead: by what four can let through in the time between two reports, and a chunk of each stream.
      const seconds = (performance.now() - began) / 1000;
      expect(out).toBeLessThan(RATE * (seconds + 4 * 0.2) + 16 * 65_536);
    }
    expect(await bytes()).toBeGreaterThan(2 * RATE);
  });
});
