import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { until } from '../../scripts/demo/process.ts';
import { RestMaster } from '../harness/rest-master.ts';

const running: RestMaster[] = [];
afterEach(async () => {
  for (const r of running.splice(0)) await r.stop();
});
const start = async (limits: { inFlight?: number } = {}): Promise<RestMaster> => {
  const rest = await RestMaster.start(limits);
  running.push(rest);
  return rest;
};

const silence = (comment: string) => ({
  matchers: [{ name: 'node', value: 'nobody' }],
  duration_ms: 60_000,
  comment,
});

/** So many silences are decided; the disk may hold them still. */
const decided = (rest: RestMaster, count: number) =>
  until('they are decided', 5000, () => rest.master.store.snapshot().count('silence') === count || null);

test('more at once than may be: 429 at once, and what is under way goes on', async () => {
  const rest = await start({ inFlight: 2 });
  const release = rest.master.store.hold();
  const waiting = ['a', 'b'].map((c) => rest.call('POST', '/silences', { body: silence(c) }));
  await decided(rest, 2);
  const third = await rest.call('POST', '/silences', { body: silence('c') });
  expect(third.body).toMatchObject({ status: 429, code: 'throttled' });
  expect(third.headers.get('retry-after')).toBe('1');
  expect((await fetch(`${rest.base}/health`)).status).toBe(200);
  release();
  expect((await Promise.all(waiting)).map((r) => r.status)).toEqual([201, 201]);
  expect((await rest.call('GET', '/silences')).status).toBe(200);
});

test('watches are counted by themselves', async () => {
  const rest = await start({ inFlight: 1 });
  const stop = new AbortController();
  for (let i = 0; i < 4; i++) {
    const r = await fetch(`${rest.base}/api/v1/nodes?watch`, {
      headers: rest.bearer('viewer'),
      signal: stop.signal,
    });
    expect(r.status).toBe(200);
  }
  expect((await rest.call('GET', '/nodes')).status).toBe(200);
  stop.abort();
});

test('a stop lets what is under way finish, and takes nothing new', async () => {
  const rest = await start();
  running.pop();
  const release = rest.master.store.hold();
  const waiting = rest.call('POST', '/silences', { body: silence('under way') });
  await decided(rest, 1);
  const stopped = rest.stop();
  await expect(fetch(`${rest.base}/health`)).rejects.toThrow();
  release();
  expect((await waiting).status).toBe(201);
  await stopped;
});

test('a watcher that does not read is let go, and costs nobody else anything', {
  timeout: 30_000,
}, async () => {
  const rest = await start();
  const { master } = rest;
  await master.join('hk-1');
  const socket = connect(Number(new URL(rest.base).port), '127.0.0.1');
  socket.pause();
  const left = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(
    `GET /api/v1/nodes?watch HTTP/1.1\r\nhost: x\r\nauthorization: ${rest.bearer('viewer')['authorization']}\r\n\r\n`,
  );
  // More than a socket holds: 30 labels of 60 letters, again and again.
  const labels = (n: number) =>
    Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`label-${i}`, `${n}`.padEnd(60, 'x')]));
  for (let n = 0; n < 2500; n++) {
    await master.services.nodes.update(master.m(), { name: 'hk-1' as NodeName, labels: labels(n) });
  }
  const last = (await rest.call('GET', '/nodes/hk-1')).body['labels'] as Record<string, string>;
  expect(last['label-7']).toBe('2499'.padEnd(60, 'x'));
  await master.pass(32, ['hk-1']);
  socket.resume();
  await left;
});
