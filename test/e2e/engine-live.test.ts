import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import {
  childrenOf,
  HOST,
  keepAsking,
  LiveEngine,
  type LiveStream,
  namedOrigin,
  openStream,
  release,
  request,
} from '../harness/live-engine.ts';
import { createTestCa, type TestCa, writeIdentity } from '../harness/test-ca.ts';

// One engine of several processes, changed in every way there is while it carries: nobody on it may notice.

const LIVE = 50;
let ca: TestCa;
let live: LiveEngine;
let origins: Awaited<ReturnType<typeof namedOrigin>>[];
let identities: Awaited<ReturnType<typeof writeIdentity>>[];
let streams: LiveStream[];
let plain: number;
let secure: number;
let more: number;

beforeAll(async () => {
  ca = await createTestCa();
});

beforeEach(async () => {
  streams = [];
  origins = [await namedOrigin('A'), await namedOrigin('B')];
  identities = [await writeIdentity(ca, 'n1'), await writeIdentity(ca, 'n2')];
  [plain = 0, secure = 0, more = 0] = await freePorts(3);
  live = await LiveEngine.start(2);
});

afterEach(async () => {
  for (const s of streams) s.close();
  await live.stop();
  for (const o of origins) o.close();
  for (const i of identities) await i.remove();
});

function documentOf(args: { origin?: number; identity?: number; more?: boolean } = {}): string {
  const to = origins[args.origin ?? 0]?.port;
  const id = identities[args.identity ?? 0];
  const service = (name: string, port: number, listener: string): string =>
    `  - {name: ${name}, addr: "${HOST}:${port}", handler: {type: tcp}, listener: ${listener}, forwarder: {nodes: [{name: o, addr: "${HOST}:${to}"}]}}\n`;
  const files = `{certFile: "${id?.certFile}", keyFile: "${id?.keyFile}"}`;
  const third = args.more ? service('more', more, '{type: tcp}') : '';
  return `services:\n${service('plain', plain, '{type: tcp}')}${service('secure', secure, `{type: tls, tls: ${files}}`)}${third}`;
}

async function openStreams(): Promise<void> {
  streams = await Promise.all(
    Array.from({ length: LIVE }, (_, i) =>
      i % 2 === 0 ? openStream(plain, false) : openStream(secure, true),
    ),
  );
}

/** Every stream is open and goes on hearing. */
async function expectAllAlive(those: readonly LiveStream[] = streams): Promise<void> {
  const before = those.map((s) => s.heard);
  while (those.some((s, i) => s.over === null && s.heard <= (before[i] ?? 0))) {
    await new Promise((r) => setTimeout(r, 20));
  }
  expect(those.map((s) => s.over).filter((o) => o !== null)).toEqual([]);
}

const asking = (): ReturnType<typeof keepAsking> =>
  keepAsking([
    { port: plain, secure: false },
    { port: plain, secure: false },
    { port: secure, secure: true },
  ]);

async function openedSoFar(): Promise<number> {
  const { services } = await live.engine.stats();
  return services.reduce((sum, s) => sum + s.opened, 0);
}

describe('an engine of two workers', () => {
  it('carries 50 streams and all new requests over 10 changes of each kind', async () => {
    await live.apply(documentOf());
    await openStreams();
    const ask = asking();
    let [origin, identity] = [0, 0];
    for (let i = 0; i < 10; i++) {
      origin = 1 - origin;
      expect(await live.apply(documentOf({ origin, identity }))).toMatchObject({ opened: [], closed: [] });
      expect((await request(plain, false)).origin).toBe('AB'[origin]);
      const before = (await request(secure, true)).serial;
      identity = 1 - identity;
      await live.apply(documentOf({ origin, identity }));
      expect((await request(secure, true)).serial).not.toBe(before);
      expect((await live.apply(documentOf({ origin, identity, more: true }))).opened).toEqual(['more']);
      expect((await request(more, false)).origin).toBe('AB'[origin]);
      expect((await live.apply(documentOf({ origin, identity }))).closed).toEqual(['more']);
      await expect(request(more, false)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    const { asked, failed } = await ask.stop();
    expect(failed).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    await expectAllAlive();
    expect((await live.engine.info()).generation).toBe(41);
    const confirmed = await live.engine.confirm();
    expect(confirmed.listeners.map((l) => l.accepting)).toEqual([true, true]);
    expect(confirmed.routes.every((r) => r.reached)).toBe(true);
  });

  it('changes nothing in any worker when one port cannot be had, and can have it later', async () => {
    await live.apply(documentOf());
    await openStreams();
    const other = net.createServer();
    await new Promise<void>((r) => other.listen(more, HOST, r));
    for (let i = 0; i < 3; i++) {
      const refused = live.apply(documentOf({ origin: 1, more: true }));
      await expect(refused).rejects.toMatchObject({ code: 'invalid', message: /in use by another/ });
    }
    const answers = await Promise.all(Array.from({ length: 20 }, () => request(plain, false)));
    expect(new Set(answers.map((a) => a.origin))).toEqual(new Set(['A']));
    await new Promise<void>((r) => other.close(() => r()));
    await live.apply(documentOf({ origin: 1, more: true }));
    const { data } = await live.pids();
    process.kill(data[0] ?? 0, 'SIGKILL');
    await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect((await request(more, false)).origin).toBe('B');
  });

  it('replaces a data worker that dies: its streams alone are lost, the sums never go back', async () => {
    await live.apply(documentOf());
    await openStreams();
    const opened = await openedSoFar();
    expect(opened).toBe(LIVE);
    const before = await live.pids();
    const victim = before.data[0] ?? 0;
    process.kill(victim, 'SIGKILL');
    const info = await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect(info.workers?.some((w) => w.pid === victim)).toBe(false);
    expect(info).toMatchObject({ generation: 1, pid: live.child.pid });
    const left = streams.filter((s) => s.over === null);
    await expectAllAlive(left);
    const { services } = await live.engine.stats();
    expect(services.reduce((sum, s) => sum + s.opened, 0)).toBe(LIVE);
    expect(services.reduce((sum, s) => sum + s.streams, 0)).toBe(left.length);
    // Without the other of the first two, none of the streams is left and the one that came answers.
    process.kill(before.data[1] ?? 0, 'SIGKILL');
    await live.until((i) => i.restarts === 2 && i.workers?.length === 2);
    expect(streams.every((s) => s.over !== null)).toBe(true);
    expect((await request(secure, true)).origin).toBe('A');
    expect(await openedSoFar()).toBe(LIVE + 1);
  });

  it('knows what a worker had counted that died before it was asked', async () => {
    await live.apply(documentOf());
    await openStreams();
    const { data } = await live.pids();
    // It leaves its figures once a second.
    await new Promise((r) => setTimeout(r, 3_000));
    process.kill(data[0] ?? 0, 'SIGKILL');
    await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect(await openedSoFar()).toBe(LIVE);
  });

  it('replaces a control that is killed: no stream notices, and it knows what is carried', async () => {
    const { documentHash } = await live.apply(documentOf());
    await openStreams();
    await live.engine.drain({ service: 'secure', deadlineMs: 600_000 });
    const before = await live.engine.info();
    const opened = await openedSoFar();
    const { control } = await live.pids();
    const ask = keepAsking([{ port: plain, secure: false }]);
    process.kill(control, 'SIGKILL');
    const info = await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect(info).toMatchObject({
      generation: 1,
      documentHash,
      instance: before.instance,
      startedAt: before.startedAt,
      workers: before.workers,
    });
    expect((await live.engine.effective()).hash).toBe(documentHash);
    expect(await openedSoFar()).toBeGreaterThanOrEqual(opened);
    const { drains } = await live.engine.drainStatus();
    expect(drains).toMatchObject([{ service: 'secure', streams: LIVE / 2 }]);
    await expect(request(secure, true)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await live.engine.undrain({ service: 'secure' })).toEqual({ opened: ['secure'] });
    expect((await request(secure, true)).origin).toBe('A');
    expect((await live.apply(documentOf({ origin: 1 }))).generation).toBe(2);
    expect((await request(plain, false)).origin).toBe('B');
    expect((await ask.stop()).failed).toEqual([]);
    await expectAllAlive();
  });

  it('ends whole when its primary is killed, and the next one has the socket and the ports', async () => {
    await live.apply(documentOf());
    await openStreams();
    const children = await childrenOf(live.child.pid ?? 0);
    expect(children).toHaveLength(3);
    live.child.kill('SIGKILL');
    while (streams.some((s) => s.over === null)) await new Promise((r) => setTimeout(r, 20));
    expect(new Set(streams.map((s) => s.over))).toEqual(new Set(['ECONNRESET']));
    if (live.child.signalCode === null) await once(live.child, 'exit');
    await live.stop();
    live = await LiveEngine.start(2);
    await live.apply(documentOf());
    expect((await request(plain, false)).origin).toBe('A');
  });

  it('is upgraded three times under 50 streams and new requests', async () => {
    await live.apply(documentOf());
    await openStreams();
    const ask = asking();
    let before = await live.engine.info();
    for (const version of ['0.2.0', '0.3.0', '0.4.0']) {
      const done = await live.engine.upgrade({ exec: await release(live, version), deadlineMs: 60_000 });
      expect(done).toMatchObject({ version, workers: [{ version }, { version }] });
      expect(done.streamsKept).toBeGreaterThanOrEqual(LIVE);
      const info = await live.until((i) => i.version === version);
      expect(info).toMatchObject({ generation: 1, instance: before.instance, pid: before.pid, restarts: 0 });
      expect(info.workers?.map((w) => w.version)).toEqual([version, version]);
      const old = new Set(before.workers?.map((w) => w.pid));
      expect(info.workers?.some((w) => old.has(w.pid))).toBe(false);
      before = info;
    }
    const { asked, failed } = await ask.stop();
    expect(failed).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    await expectAllAlive();
    expect(await openedSoFar()).toBeGreaterThanOrEqual(LIVE + asked);
    // The release that is there makes the replacements, and takes changes.
    process.kill(before.workers?.[0]?.pid ?? 0, 'SIGKILL');
    const info = await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect(info.workers?.map((w) => w.version)).toEqual(['0.4.0', '0.4.0']);
    await live.apply(documentOf({ origin: 1 }));
    expect((await request(plain, false)).origin).toBe('B');
    // Those of the first release carry on with what they have, and end with it.
    await expectAllAlive();
    for (const s of streams) s.close();
    while ((await childrenOf(live.child.pid ?? 0)).length > 3) await new Promise((r) => setTimeout(r, 50));
  });

  it('is upgraded under streams and new requests of a multiplexed tunnel', async () => {
    const [identity] = identities;
    await live.apply(
      `services:
  - {name: in, addr: "${HOST}:${plain}", handler: {type: tcp, chain: c}, listener: {type: tcp}}
  - {name: svc, addr: "${HOST}:${more}", handler: {type: relay}, listener: {type: mtls}, forwarder: {nodes: [{name: o, addr: "${HOST}:${origins[0]?.port}"}]}}
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, nodes: [{name: n, addr: "${HOST}:${more}", connector: {type: relay}, dialer: {type: mtls}}]}]
`,
      identity,
    );
    streams = await Promise.all(Array.from({ length: 10 }, () => openStream(plain, false)));
    const ask = keepAsking([{ port: plain, secure: false }]);
    const { workers } = await live.engine.upgrade({ exec: await release(live, '0.2.0'), deadlineMs: 60_000 });
    expect(workers.map((w) => w.version)).toEqual(['0.2.0', '0.2.0']);
    await live.until((i) => i.version === '0.2.0');
    await new Promise((r) => setTimeout(r, 500));
    expect((await ask.stop()).failed).toEqual([]);
    await expectAllAlive();
  });

  it('stays with what it is when the program to come does not start', async () => {
    await live.apply(documentOf());
    await openStreams();
    const before = await live.engine.info();
    const broken = join(live.dir, 'broken.mjs');
    await writeFile(broken, 'process.exit(3);\n');
    const upgrade = live.engine.upgrade({ exec: broken, deadlineMs: 1_000 });
    await expect(upgrade).rejects.toMatchObject({ code: 'invalid', message: /does not take over.*exit 3/ });
    expect(await live.engine.info()).toEqual(before);
    await live.apply(documentOf({ origin: 1 }));
    expect((await request(plain, false)).origin).toBe('B');
    await expectAllAlive();
  });
});
