import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostFigures } from '../../proto/vocab/metrics.ts';
import { EngineTwin } from '../../test/fakes/engine-twin.ts';
import type { ServiceStats } from '../engine/port.ts';
import { HostMetrics } from './metrics.ts';
import { Reporter } from './reporter.ts';

let proc: string;
beforeEach(async () => {
  proc = await mkdtemp(path.join(tmpdir(), 'aicdn-proc-'));
});
afterEach(() => rm(proc, { recursive: true, force: true }));

const stat = (user: number, idle: number): Promise<void> =>
  writeFile(path.join(proc, 'stat'), `cpu  ${user} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 1 2 3 4\n`);

describe('host figures', () => {
  it('cpu is that between two readings, the others are now', async () => {
    await stat(100, 900);
    await writeFile(path.join(proc, 'meminfo'), 'MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\n');
    await mkdir(path.join(proc, '42', 'fd', '0'), { recursive: true });
    const host = new HostMetrics({ proc, disk: proc });
    const first = await host.read([42]);
    expect(first).toMatchObject({ cpuPct: null, memPct: 75, openFiles: 1 });
    expect(first.diskFreeBytes).toBeGreaterThan(0);
    await stat(130, 970);
    expect((await host.read([42])).cpuPct).toBe(30);
  });

  it('the limit is of the processes whose files are counted, together', async () => {
    const limits = (soft: string) =>
      `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}                 8192                 files     \n`;
    for (const pid of ['42', '43']) {
      await mkdir(path.join(proc, pid, 'fd', '0'), { recursive: true });
      await writeFile(path.join(proc, pid, 'limits'), limits('1024'));
    }
    const host = new HostMetrics({ proc, disk: proc });
    expect(await host.read([42, 43])).toMatchObject({ openFiles: 2, openFilesLimit: 2048 });
    await writeFile(path.join(proc, '43', 'limits'), limits('unlimited'));
    expect(await host.read([42, 43])).toMatchObject({ openFiles: 2, openFilesLimit: null });
  });

  it('the network is counted once, between two readings, and not over an interface that went', async () => {
    const dev = (...rows: [name: string, into: number, out: number][]) =>
      writeFile(
        path.join(proc, 'net', 'dev'),
        `Inter-|   Receive                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes ...\n${rows
          .map(([name, into, out]) => `${name.padStart(6)}: ${into} 9 0 0 0 0 0 0 ${out} 9 0 0 0 0 0 0\n`)
          .join('')}`,
      );
    await mkdir(path.join(proc, 'net'));
    const host = new HostMetrics({ proc, disk: proc });
    await dev(['lo', 5000, 5000], ['eth0', 1000, 400], ['docker0', 9, 9], ['wg0', 100, 100]);
    expect(await host.read([])).toMatchObject({ netInBytes: null, netOutBytes: null });
    await dev(['lo', 9000, 9000], ['eth0', 1700, 450], ['docker0', 999, 999], ['wg0', 150, 100]);
    expect(await host.read([])).toMatchObject({ netInBytes: 750, netOutBytes: 50 });
    await dev(['eth0', 1800, 460]);
    expect(await host.read([])).toMatchObject({ netInBytes: null, netOutBytes: null });
    await dev(['eth0', 1801, 462]);
    expect(await host.read([])).toMatchObject({ netInBytes: 1, netOutBytes: 2 });
  });

  it('what cannot be read is absent, never 0', async () => {
    const host = new HostMetrics({ proc, disk: path.join(proc, 'nowhere') });
    await host.read([42]);
    expect(await host.read([42])).toEqual({
      cpuPct: null,
      memPct: null,
      openFiles: null,
      openFilesLimit: null,
      diskFreeBytes: null,
      diskBytes: null,
      netInBytes: null,
      netOutBytes: null,
    });
    await writeFile(path.join(proc, 'stat'), 'cpu  x y\n');
    await writeFile(path.join(proc, 'meminfo'), 'MemTotal: 0 kB\n');
    expect(await host.read([])).toMatchObject({ cpuPct: null, memPct: null, openFiles: null });
  });
});

describe('reports', () => {
  const none = { index: [], count: [], sumMs: 0 };
  const counters = (opened: number): ServiceStats[] => [
    {
      service: 'chat',
      streams: 2,
      opened,
      closed: 0,
      errors: 0,
      abortedClient: 0,
      abortedOrigin: 0,
      abortedTunnel: 0,
      bytesIn: 0,
      bytesOut: 0,
      requests: 0,
      connect: none,
      ttft: none,
      gap: none,
    },
  ];
  const noHost: HostFigures = { cpuPct: null, memPct: null, openFiles: null, diskFreeBytes: null };

  it('count from the reset on, over the time since the last one, and from 0 with a new engine', async () => {
    const engine = new EngineTwin();
    let now = 1000;
    const reporter = new Reporter({
      engine,
      info: () => null,
      host: async () => noHost,
      ownLines: () => [{ at: 5, level: 'warn', text: 'x'.repeat(5000) }],
      now: () => now,
    });
    engine.counters = counters(100);
    reporter.reset();
    now = 2000;
    expect(await reporter.report()).toMatchObject({ from: 1000, sliceMs: 1000, services: [{ opened: 0 }] });
    engine.counters = counters(103);
    now = 2500;
    const second = await reporter.report();
    expect(second).toMatchObject({
      from: 2000,
      sliceMs: 500,
      engineInstance: 'i1',
      services: [{ opened: 3 }],
    });
    expect(second.log[0]?.text).toHaveLength(1024);
    engine.restart('i2');
    engine.counters = counters(4);
    expect(await reporter.report()).toMatchObject({ engineInstance: 'i2', services: [{ opened: 4 }] });
    engine.lose();
    expect(await reporter.report()).toMatchObject({ engineInstance: '', services: [], host: noHost });
  });
});
