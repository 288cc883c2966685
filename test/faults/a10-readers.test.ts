import { readdirSync, readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as http2Connect } from 'node:http2';
import net from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { WatchRequest } from '../../proto/gen/aicdn/v1/console.ts';
import { until } from '../../scripts/demo/process.ts';
import { LoneMaster } from '../harness/lone-master.ts';

// A10: readers that do not read cost a bounded piece of memory each and hold nobody up; with no descriptor left, who is
// there already goes on: writes are acknowledged.

const READERS = 1_000;
const EACH_BYTES = 64 * 1024;
let master: LoneMaster | null = null;
const toClose: (() => void)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) close();
  await master?.stop();
  master = null;
});
afterAll(() => expect(toClose).toEqual([]));

const rss = (pid: number): number => {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
};

/** A watch whose stream is opened and never read. */
async function slowReader(socket: string): Promise<ClientHttp2Session> {
  const session = http2Connect('http://localhost', { createConnection: () => net.connect(socket) });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/aicdn.v1.ConsoleService/Watch',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  stream.pause();
  const body = Buffer.from(WatchRequest.encode({ sinceRevision: 0n, storeId: '', client: 'slow' }).finish());
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([head, body]));
  await new Promise<void>((resolve) => stream.once('response', () => resolve()));
  toClose.push(() => session.destroy());
  return session;
}

describe('slow readers', () => {
  it(`${READERS} of them: at most 64 KiB each, and a writer and a reader beside them go on`, async () => {
    const m = await LoneMaster.start();
    master = m;
    const filler = 'x'.repeat(450);
    const writes = 1000;
    const writeAll = async (): Promise<void> => {
      for (let i = 0; i < writes; i += 50) {
        const said = await Promise.all(Array.from({ length: 50 }, (_, k) => m.write(`${i + k} ${filler}`)));
        expect(said.filter((s) => s !== 'acknowledged')).toEqual([]);
      }
    };
    // What the master keeps for itself of so many changes is not the readers'.
    await writeAll();
    const before = rss(m.bound.pid);
    for (let i = 0; i < READERS; i += 50) {
      await Promise.all(Array.from({ length: 50 }, () => slowReader(m.bound.socket)));
    }
    const stuck = rss(m.bound.pid);
    // Some 1 MB of changes for each: kept for all, that would be 1 GB.
    await writeAll();
    const end = rss(m.bound.pid);
    const kib = (bytes: number): number => Math.round(bytes / READERS / 1024);
    console.log(
      `A10: ${kib(stuck - before)} KiB a reader with its connection, ${kib(end - stuck)} KiB more over ${writes} changes`,
    );
    expect((end - stuck) / READERS).toBeLessThan(EACH_BYTES);
    // What waits for it, twice over in flight, and a connection; the rest is what the collector leaves lying.
    expect((end - before) / READERS).toBeLessThan(4 * EACH_BYTES);
    const heard = await new Promise<string>((resolve) => {
      const watch = m.api.watch(
        { client: 'quick', since: () => null },
        (e) => {
          if (e.kind === 'end') resolve('a whole snapshot');
        },
        () => undefined,
      );
      toClose.push(() => watch.close());
    });
    expect(heard).toBe('a whole snapshot');
  });
});

describe('no descriptor left', () => {
  it('who is connected goes on: writes are acknowledged, and it passes', async () => {
    const m = await LoneMaster.start({ through: ['prlimit', '--nofile=120:120'] });
    master = m;
    expect(await m.write('before')).toBe('acknowledged');
    const { host, port } = { host: '127.0.0.1', port: Number(m.bound.http.split(':')[1]) };
    const sockets: net.Socket[] = [];
    for (let i = 0; i < 200; i++) {
      const s = net.connect(port, host);
      s.on('error', () => undefined);
      sockets.push(s);
    }
    toClose.push(() => {
      for (const s of sockets) s.destroy();
    });
    const used = (): number => readdirSync(`/proc/${m.bound.pid}/fd`).length;
    await until('no descriptor is left', 20_000, () => (used() >= 115 ? true : null));
    for (let i = 0; i < 50; i++) expect(await m.write(`at the limit ${i}`)).toBe('acknowledged');
    for (const s of sockets) s.destroy();
    await until('health answers again', 20_000, async () =>
      (await m.health()).status === 200 ? true : null,
    );
    expect(await m.comments()).toContain('at the limit 49');
  });
});
