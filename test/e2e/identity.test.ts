import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import { until } from '../../scripts/demo/process.ts';
import { endlessOrigin } from '../harness/endless-origin.ts';
import { Pair } from '../harness/pair.ts';
import { LiveStreams } from '../harness/streams.ts';

// A node's certificate between the real master and the real agent: renewed, expired, taken away.

let pair: Pair | null = null;
const toStop: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
  await pair?.stop();
  pair = null;
});

const NAME = 'hk-1';
/** Certificates begin five minutes in the past, and 0.46 of these lives is over 3.6 s after it was issued. */
const SOON_MS = 360_000;

const serialOnDisk = async (p: Pair): Promise<string> => {
  const file = path.join(p.dir, NAME, 'state', 'identity', 'current', 'cert.pem');
  return new X509Certificate(await readFile(file)).serialNumber.toLowerCase();
};
const isIn = (p: Pair, status: string) =>
  until(`${NAME} is ${status}`, 20_000, async () => {
    const { nodes, vitals } = await p.api.listNodes();
    const node = nodes.find((n) => n.name === NAME);
    return node && vitals.find((v) => v.name === NAME)?.status === status ? node : null;
  });

async function carrying(p: Pair): Promise<LiveStreams> {
  const origin = await endlessOrigin();
  const [port = 0] = await freePorts(1);
  const streams = new LiveStreams();
  toStop.push(
    () => origin.stop(),
    () => streams.close(),
  );
  const m = { reason: 'test' };
  const body = Buffer.from(`services:
- name: chat
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:${origin.port}"}]}
`);
  await p.api.createConfig(m, { label: 'v1', description: '', body, parent: null });
  await p.api.publish(m, { label: 'v1', target: {}, dryRun: false });
  await until('in sync', 20_000, async () => {
    const { node } = await p.api.getNode(NAME);
    return node.configSync === 'in_sync' ? true : null;
  });
  streams.open(port, 3);
  await until('streams flow', 10_000, () => (streams.advanced([], 3) ? true : null));
  return streams;
}

const startedWith = async (certificateMs: number): Promise<Pair> => {
  const p = await Pair.start({ certificateMs });
  pair = p;
  await mkdir(path.join(p.dir, NAME), { recursive: true });
  await p.engine(NAME);
  return p;
};

it('is renewed near half of its life: a new key and a new session, and no stream notices', async () => {
  const p = await startedWith(SOON_MS);
  await p.agent(NAME, await p.token());
  await isIn(p, 'initializing');
  const streams = await carrying(p);
  const first = await serialOnDisk(p);
  const key = await readFile(path.join(p.dir, NAME, 'state', 'identity', 'current', 'key.pem'), 'utf8');
  // The next one is renewed after days again.
  p.certificateMs = 7 * 86_400_000;
  const second = await until('another certificate', 20_000, async () => {
    const serial = await serialOnDisk(p);
    return serial === first ? null : serial;
  });
  const node = await until('the session shows it', 20_000, async () => {
    const n = (await p.api.getNode(NAME)).node;
    return n.certificate?.serial.toLowerCase().replace(/^0+/, '') === second.replace(/^0+/, '') ? n : null;
  });
  expect(node.certificate?.notAfter).toBeGreaterThan(Date.now() + 6 * 86_400_000);
  expect(await readFile(path.join(p.dir, NAME, 'state', 'identity', 'current', 'key.pem'), 'utf8')).not.toBe(
    key,
  );
  await isIn(p, 'ready');
  const since = streams.chunks;
  await until('streams go on', 10_000, () => (streams.advanced(since, 5) ? true : null));
  expect(streams.cut).toEqual([]);
});

it('expired while its host was off, it may renew and nothing else, and then all goes on', async () => {
  const p = await startedWith(1500);
  const one = await p.agent(NAME, await p.token());
  await one.stop('the host is off');
  const first = await serialOnDisk(p);
  await until('it has expired', 10_000, async () => {
    const { node } = await p.api.getNode(NAME);
    return (node.certificate?.notAfter ?? Number.POSITIVE_INFINITY) < Date.now() - 100 ? true : null;
  });
  p.certificateMs = 7 * 86_400_000;
  const sessions = p.masterLog.lines.filter((l) => l.message === 'agent connected').length;
  await p.agent(NAME, null);
  await until('a new one', 20_000, async () => ((await serialOnDisk(p)) === first ? null : true));
  await until('it is connected with it', 20_000, () =>
    p.masterLog.lines.filter((l) => l.message === 'agent connected').length > sessions ? true : null,
  );
  await carrying(p);
});

it('revoked: its session is over within two seconds, it does not get in again, and its streams are not touched', async () => {
  const p = await startedWith(7 * 86_400_000);
  const a = await p.agent(NAME, await p.token());
  const streams = await carrying(p);
  const before = performance.now();
  const ended = until('the session is over', 10_000, () =>
    p.masterLog.lines.some((l) => l.message === 'agent gone') ? performance.now() : null,
  );
  await p.api.removeNode({ reason: 'stolen' }, { name: NAME, keep: true });
  expect((await ended) - before).toBeLessThan(2000);
  expect((await p.api.getNode(NAME)).node.identity).toBe('revoked');
  await until('it is told why', 20_000, () =>
    a.log.lines.some((l) => l.fields.includes(`the certificate of ${NAME} is revoked`)) ? true : null,
  );
  // It has tried since, and was refused.
  await until('it was refused', 20_000, () =>
    p.masterLog.lines.some((l) => l.level === 'warn' && l.fields.includes('is revoked')) ? true : null,
  );
  expect(p.masterLog.lines.filter((l) => l.message === 'agent connected')).toHaveLength(1);
  const since = streams.chunks;
  await until('streams go on', 10_000, () => (streams.advanced(since, 5) ? true : null));
  expect(streams.cut).toEqual([]);
});
