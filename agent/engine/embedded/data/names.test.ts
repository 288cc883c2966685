import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DnsServer } from '../../../../test/fakes/dns-server.ts';
import { ManualTime } from '../../../../test/fakes/manual-time.ts';
import { type Found, NameSources, parseHosts } from './name-sources.ts';
import { type Answer, Names } from './names.ts';
import { SteadyLog } from './steady-log.ts';

let dir: string;
let hostsFile: string;
let dns: DnsServer;
let time: ManualTime;
let said: string[];
let names: Names;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aicdn-names-'));
  hostsFile = join(dir, 'hosts');
  await writeFile(hostsFile, '127.0.0.1 localhost\n');
  dns = await DnsServer.start();
  time = new ManualTime();
  said = [];
  const { now, after } = time;
  const log = new SteadyLog({ write: (_level, text) => said.push(text), now });
  names = new Names({
    sources: new NameSources({ servers: [dns.address], hostsFile }),
    clock: now,
    after,
    log,
  });
});

afterEach(async () => {
  names.stop();
  await dns.stop();
  await rm(dir, { recursive: true });
});

const list = (answer: Answer): readonly string[] | string => (answer.ok ? answer.addresses : answer.why);
const ask = async (name = 'core.test'): Promise<readonly string[] | string> =>
  list(await names.resolve(name));

describe('names', () => {
  it('are asked for once for their TTL, A and AAAA side by side', async () => {
    dns.set('core.test', { a: ['127.0.0.1', '127.0.0.2'], aaaa: ['::1'], ttl: 20 });
    const all = await Promise.all([ask(), ask(), ask()]);
    expect(all).toEqual(Array(3).fill(['::1', '127.0.0.1', '127.0.0.2']));
    expect(dns.questions.toSorted()).toEqual(['core.test/A', 'core.test/AAAA']);
    dns.set('core.test', { a: ['127.0.0.3'], ttl: 20 });
    time.advance(19_999);
    expect(await ask()).toEqual(['::1', '127.0.0.1', '127.0.0.2']);
    time.advance(1);
    expect(await ask()).toEqual(['127.0.0.3']);
    expect(dns.questions.length).toBe(4);
  });

  it.each([
    [0, 1_000],
    [86_400, 300_000],
  ])('a TTL of %i s holds %i ms', async (ttl, holdsMs) => {
    dns.set('core.test', { a: ['127.0.0.1'], ttl });
    await ask();
    dns.set('core.test', { a: ['127.0.0.2'], ttl });
    time.advance(holdsMs - 1);
    expect(await ask()).toEqual(['127.0.0.1']);
    time.advance(1);
    expect(await ask()).toEqual(['127.0.0.2']);
  });

  it('of IPv6 alone have addresses; literals are their own', async () => {
    dns.set('core.test', { aaaa: ['2001:db8::5', '::1'], ttl: 5 });
    expect(await ask()).toEqual(['2001:db8::5', '::1']);
    expect([await ask('192.0.2.1'), await ask('2001:db8::1')]).toEqual([['192.0.2.1'], ['2001:db8::1']]);
    expect(dns.questions.length).toBe(2);
  });

  it('that are not there are not asked for again at once', async () => {
    expect([await ask(), await ask()]).toEqual(['ENOTFOUND', 'ENOTFOUND']);
    expect(dns.questions.length).toBe(2);
    dns.set('core.test', { a: ['127.0.0.1'], ttl: 5 });
    time.advance(3_000);
    expect(await ask()).toEqual(['127.0.0.1']);
  });

  it('keep their last addresses while DNS fails, said once, and are told when it is back', async () => {
    dns.set('core.test', { a: ['127.0.0.1'], ttl: 1 });
    await ask();
    dns.mood = { how: 'broken' };
    for (let i = 0; i < 10; i++) {
      time.advance(5_000);
      expect(await ask()).toEqual(['127.0.0.1']);
    }
    expect(said).toEqual([
      'name core.test: DNS does not answer (ESERVFAIL); its last addresses go on being used: 127.0.0.1',
    ]);
    dns.mood = null;
    dns.set('core.test', { a: ['127.0.0.2'], ttl: 60 });
    time.advance(5_000);
    while ((await ask())[0] !== '127.0.0.2') await new Promise((r) => setTimeout(r, 5));
    expect(said.at(-1)).toBe('name core.test: DNS answers again');
  });

  it('wait for a silent DNS a second at most, and only once', async () => {
    dns.set('core.test', { a: ['127.0.0.1'], ttl: 1 });
    await ask();
    dns.mood = { how: 'silent' };
    time.advance(1_000);
    const first = ask();
    while (dns.questions.length < 3) await new Promise((r) => setTimeout(r, 5));
    time.advance(1_000);
    expect(await first).toEqual(['127.0.0.1']);
    // No clock moves: this one does not wait at all.
    expect(await ask()).toEqual(['127.0.0.1']);
  });

  it('keep the addresses of a family that could not be learned this time', async () => {
    dns.set('core.test', { a: ['127.0.0.1'], aaaa: ['::1'], ttl: 1 });
    await ask();
    dns.mood = { how: 'broken', type: 'AAAA' };
    dns.set('core.test', { a: ['127.0.0.2'], ttl: 1 });
    time.advance(1_000);
    expect(await ask()).toEqual(['::1', '127.0.0.2']);
  });

  it('of the hosts file come first, and it is read again when it changes', async () => {
    dns.set('core.test', { a: ['127.0.0.9'], ttl: 60 });
    await writeFile(hostsFile, '127.0.0.1 localhost\n::1 CORE.test # both\n127.0.0.4 x core.test\n');
    expect(await ask()).toEqual(['::1', '127.0.0.4']);
    await writeFile(hostsFile, '127.0.0.5 core.test\n');
    time.advance(1_000);
    expect(await ask()).toEqual(['127.0.0.5']);
    await rm(hostsFile);
    time.advance(1_000);
    expect(await ask()).toEqual(['127.0.0.9']);
  });

  it('that are watched are asked for by TTL, and told when they are others', async () => {
    dns.set('core.test', { a: ['127.0.0.1'], ttl: 7 });
    const told: (readonly string[])[] = [];
    const stop = names.watch('core.test', (a) => told.push(a));
    const asked = async (n: number): Promise<void> => {
      while (dns.questions.length < n) {
        time.advance(1_000);
        await new Promise((r) => setTimeout(r, 5));
      }
    };
    await asked(4);
    expect(told).toEqual([['127.0.0.1']]);
    dns.set('core.test', { a: ['127.0.0.2'], ttl: 7 });
    await asked(8);
    expect(told).toEqual([['127.0.0.1'], ['127.0.0.2']]);
    stop();
    await ask();
    const before = dns.questions.length;
    time.advance(600_000);
    // Whoever asks later is heard after whoever asked before.
    await ask('other.test');
    expect(dns.questions.slice(before)).toEqual(['other.test/A', 'other.test/AAAA']);
  });

  it('that are given up and watched anew while they are asked for are looked at by one, not by two', async () => {
    const waiting = new Set<number>();
    let n = 0;
    const after = (ms: number, run: () => void): (() => void) => {
      const id = n++;
      waiting.add(id);
      const cancel = time.after(ms, () => {
        waiting.delete(id);
        run();
      });
      return () => {
        waiting.delete(id);
        cancel();
      };
    };
    const found = Promise.withResolvers<Found>();
    const log = new SteadyLog({ write: () => undefined, now: time.now });
    const sources = { find: () => found.promise, stop: () => undefined };
    const watched = new Names({ sources, clock: time.now, after, log });
    const stop = watched.watch('core.test', () => undefined);
    time.advance(0);
    stop();
    const told = Promise.withResolvers<readonly string[]>();
    watched.watch('core.test', told.resolve);
    time.advance(0);
    found.resolve({ v4: ['127.0.0.1'], v6: [], ttlMs: 5_000, why: '' });
    expect(await told.promise).toEqual(['127.0.0.1']);
    await new Promise((r) => setImmediate(r));
    expect(waiting.size).toBe(1);
    watched.stop();
    expect(waiting.size).toBe(0);
  });
});

it('a hosts file is read as the system reads it', () => {
  expect(
    parseHosts(
      '# x\n127.0.0.1\tlocalhost a.b\n0:0:0:0:0:0:0:1 localhost #no\nnonsense c\n\n127.0.0.1 localhost',
    ),
  ).toEqual(
    new Map([
      ['localhost', ['127.0.0.1', '::1']],
      ['a.b', ['127.0.0.1']],
    ]),
  );
});
