import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUCKETS_MS } from '../../proto/vocab/metrics.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { end, until } from '../../scripts/demo/process.ts';
import { Prometheus } from '../harness/prometheus.ts';
import { run } from '../harness/run.ts';
import { edgeTo, WatchedFleet } from '../harness/watched-fleet.ts';

// An agent's own /metrics: a real agent beside a real engine with streams through it, read by a real Prometheus that has
// the key, and by some that have not.

const KEY = 'a-key-for-this-test-only';
const ANSWERS = 40;
const CHUNKS = 12;
const FIRST_MS = 60;
const GAP_MS = 15;

let f: WatchedFleet;
let origin: http.Server;
let prometheus: Prometheus;
let base = '';
let metricsPort = 0;
const settings = (): string => path.join(f.fleet.dir, 'hk-1', 'agent.yml');
const keyFile = (name: string): string => path.join(f.fleet.dir, name);

beforeAll(async () => {
  origin = http.createServer((request, response) => void tell(request, response));
  await once(origin.listen(0, '127.0.0.1'), 'listening');
  f = await WatchedFleet.start(['hk-1']);
  await f.base(edgeTo('base', [(origin.address() as AddressInfo).port]));
  for (const [name, key] of [
    ['right', KEY],
    ['wrong', 'another-key-altogether'],
    ['short', 'too-short'],
  ] as const) {
    writeFileSync(keyFile(name), `${key}\n`, { mode: 0o600 });
  }
  [metricsPort = 0] = await freePorts(1);
  base = readFileSync(settings(), 'utf8');
  // Every address: what is asked for here is the key.
  writeFileSync(settings(), withMetrics(`0.0.0.0:${metricsPort}`, keyFile('right')));
  await end(f.fleet.agents.get('hk-1')?.pid ?? 0);
  await f.fleet.startAgent('hk-1');
  const target = `static_configs: [{targets: ["127.0.0.1:${metricsPort}"]}]`;
  prometheus = await Prometheus.start(`global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: agent
  authorization: {credentials_file: ${keyFile('right')}}
  ${target}
- job_name: without-a-key
  ${target}
- job_name: with-another
  authorization: {credentials_file: ${keyFile('wrong')}}
  ${target}
- job_name: master
  metrics_path: /metrics/nodes/hk-1
  static_configs: [{targets: ["${f.fleet.masterReady.http}"]}]
`);
});
afterAll(async () => {
  await prometheus?.stop();
  await f?.stop();
  origin?.closeAllConnections();
  origin?.close();
});

function withMetrics(addr: string, tokenFile: string | null): string {
  const token = tokenFile === null ? '' : `, token_file: ${tokenFile}`;
  return `${base}metrics: {addr: "${addr}"${token}}\n`;
}

/** How long each answer took here, from the whole request to its first token. */
const firstTokens: number[] = [];
async function tell(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  await once(request.resume(), 'end');
  const began = performance.now();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  await sleep(FIRST_MS);
  firstTokens.push(performance.now() - began);
  for (let i = 0; i < CHUNKS; i++) {
    response.write(`data: {"choices":[{"delta":{"content":" ${i}"}}]}\n\n`);
    await sleep(GAP_MS);
    // Of these the origin dies in the middle, of those the client goes.
    if (request.url === '/broken' && i === 3) request.socket.resetAndDestroy();
  }
  if (request.url !== '/endless') response.end('data: [DONE]\n\n');
}

interface Answer {
  readonly firstMs: number;
  readonly bytes: number;
}
/** One stream over a connection of its own, to its end or until it is left. */
function ask(where: string, leave = false): Promise<Answer> {
  return new Promise((resolve) => {
    let sent = 0;
    let firstMs = Number.NaN;
    const request = http.request(
      { port: f.ports.get('hk-1'), host: '127.0.0.1', path: where, method: 'POST', agent: false },
      (response) => {
        response.on('data', () => {
          if (Number.isNaN(firstMs)) firstMs = performance.now() - sent;
          if (leave) request.destroy();
        });
      },
    );
    let socket: Socket | null = null;
    request.on('socket', (s) => {
      socket = s;
    });
    request.on('error', () => undefined);
    request.on('close', () => resolve({ firstMs, bytes: socket?.bytesRead ?? 0 }));
    sent = performance.now();
    request.end('{"stream": true}');
  });
}
const asked = (n: number, where: string, leave = false): Promise<Answer[]> =>
  Promise.all(Array.from({ length: n }, () => ask(where, leave)));

function page(where: string, authorization?: string): Promise<{ status: number; text: string }> {
  const headers = authorization === undefined ? {} : { authorization };
  return fetch(where, { headers }).then(async (r) => ({ status: r.status, text: await r.text() }));
}
const own = (): string => `http://127.0.0.1:${metricsPort}/metrics`;
/** What is counted of streams, without sums, which the master keeps to a sixteenth of a millisecond. */
const countedIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((l) =>
      /^ai_cdn_(requests|request_errors|streams|received|sent|connect|ttft|chunk|request_dur)/.test(l),
    )
    .filter((l) => !/_sum /.test(l))
    .sort();

const at = (what: string): Promise<number> => prometheus.number(`${what}{job="agent"}`);

describe('a real agent, its engine and streams', () => {
  it('is scraped with its key, and tells as many answers, first tokens and gaps as there were', async () => {
    const answers = await asked(ANSWERS, '/');
    await prometheus.until(
      () => prometheus.number(`ai_cdn_streams_closed_total{job="agent",service="chat"}`),
      (n) => n === ANSWERS,
    );
    expect(await at('up')).toBe(1);
    expect(await at('ai_cdn_requests_total')).toBe(ANSWERS);
    expect(await at('ai_cdn_engine_up')).toBe(1);
    expect(await at('ai_cdn_connections_active')).toBe(0);
    expect(await at('ai_cdn_connect_seconds_count')).toBe(ANSWERS);
    expect(await at('ai_cdn_ttft_seconds_count')).toBe(ANSWERS);
    const read = answers.reduce((n, a) => n + a.bytes, 0);
    expect(await at('ai_cdn_sent_bytes_total')).toBe(read);
    // The engine stands between the origin and the client, so its times do.
    const ttft = (await at('ai_cdn_ttft_seconds_sum')) * 1000;
    expect(ttft).toBeGreaterThan(firstTokens.reduce((a, b) => a + b) * 0.99);
    expect(ttft).toBeLessThan(answers.reduce((n, a) => n + a.firstMs, 0));
    const p95 = await prometheus.number(
      'histogram_quantile(0.95, sum by (le) (ai_cdn_ttft_seconds_bucket{job="agent"}))',
    );
    expect(p95 * 1000).toBeGreaterThan(FIRST_MS / 1.19);
    // Some chunks come in one piece on a busy machine; the last one has its end behind it.
    const gaps = await at('ai_cdn_chunk_gap_seconds_count');
    expect(gaps).toBeGreaterThan((ANSWERS * CHUNKS) / 2);
    expect(gaps).toBeLessThanOrEqual(ANSWERS * (CHUNKS + 1));
  });

  it('says who broke a stream off, and how many are live', async () => {
    const endless = Array.from({ length: 3 }, () => ask('/endless'));
    await Promise.all([asked(5, '/broken'), asked(4, '/endless', true)]);
    const of = (by: string) => prometheus.number(`ai_cdn_streams_aborted_total{job="agent",by="${by}"}`);
    await prometheus.until(
      () => Promise.all([of('origin'), of('client'), at('ai_cdn_connections_active')]),
      (n) => `${n}` === '5,4,3',
    );
    expect(await of('tunnel')).toBe(0);
    origin.closeAllConnections();
    await Promise.all(endless);
  });

  it('tells what the master tells of it, sample by sample, in the buckets of the vocabulary', async () => {
    const agent = (await page(own(), `Bearer ${KEY}`)).text;
    await until('the master knows as much', 30_000, async () => {
      const { text } = await page(`http://${f.fleet.masterReady.http}/metrics/nodes/hk-1`);
      const [mine, theirs] = [countedIn(agent), countedIn(text)];
      return mine.length === theirs.length && mine.every((l, i) => l === theirs[i]) ? true : null;
    });
    const bounds = [...agent.matchAll(/^ai_cdn_ttft_seconds_bucket\{le="([\d.]+)"\}/gm)].map(([, le]) =>
      Number(le),
    );
    expect(bounds).toHaveLength(BUCKETS_MS.length);
    bounds.forEach((le, i) => {
      expect(le * 1000).toBeCloseTo(BUCKETS_MS[i] as number, 0);
    });
    const checked = await execa('promtool', ['check', 'metrics'], { input: agent, reject: false, all: true });
    expect(checked.all.split('\n').filter((l) => l.startsWith('ai_cdn_'))).toEqual([]);
  });

  it('is refused without its key, and with another; nothing is told then', async () => {
    const targets = await prometheus.until(
      () => prometheus.targets(),
      (all) => all.every((t) => t.health !== 'unknown'),
    );
    const of = (job: string) => targets.find((t) => t.labels['job'] === job);
    expect(of('agent')).toMatchObject({ health: 'up', lastError: '' });
    for (const job of ['without-a-key', 'with-another']) {
      expect(of(job)).toMatchObject({
        health: 'down',
        lastError: expect.stringContaining('HTTP status 401'),
      });
      expect(await prometheus.query(`{job="${job}",__name__=~"ai_cdn_.+"}`)).toEqual([]);
    }
    for (const shown of [undefined, KEY, `Basic ${KEY}`, `Bearer ${KEY}x`]) {
      const { status, text } = await page(own(), shown);
      expect([status, text]).toEqual([401, 'a bearer token is wanted\n']);
    }
  });

  it('counts anew with another engine, and no rate takes that for more', async () => {
    const pid = await f.enginePid('hk-1');
    process.kill(pid, 'SIGKILL');
    await until('another engine', 30_000, async () => {
      const now = await f.enginePid('hk-1');
      return now !== 0 && now !== pid ? true : null;
    });
    await f.fleet.inSync(['hk-1'], 30_000);
    await asked(10, '/');
    await prometheus.until(
      () => at('ai_cdn_requests_total'),
      (n) => n === 10,
    );
    expect(await prometheus.number('resets(ai_cdn_requests_total{job="agent"}[10m])')).toBe(1);
    expect(await prometheus.number('resets(ai_cdn_requests_total{job="master"}[10m])')).toBe(0);
  });
});

describe('settings that cannot be meant', () => {
  it('stop the agent before it does anything, and say which one and what to do', async () => {
    // The one that runs has the port.
    const file = path.join(f.fleet.dir, 'bad.yml');
    const tried = async (text: string): Promise<[code: number, said: string]> => {
      writeFileSync(file, text, { mode: 0o600 });
      const { code, stderr } = await run('agent', ['run', '--config', file]);
      return [code, stderr];
    };
    const loopback = `127.0.0.1:${metricsPort}`;
    expect(await tried(withMetrics(`0.0.0.0:${metricsPort}`, null))).toEqual([
      3,
      expect.stringMatching(/metrics\.addr: 0\.0\.0\.0:\d+ can be reached by others: .*metrics\.token_file/),
    ]);
    expect(await tried(withMetrics(loopback, keyFile('missing')))).toEqual([
      3,
      expect.stringMatching(/metrics\.token_file: \S+missing cannot be read: .*ENOENT/),
    ]);
    expect(await tried(withMetrics(loopback, keyFile('short')))).toEqual([
      3,
      expect.stringMatching(/metrics\.token_file: \S+short holds no token: 16 characters at least/),
    ]);
    // Its port may be free the next time: its unit starts it again after this, not after the others.
    expect(await tried(withMetrics(`0.0.0.0:${metricsPort}`, keyFile('right')))).toEqual([
      1,
      expect.stringMatching(/metrics\.addr: cannot listen on 0\.0\.0\.0:\d+: .*EADDRINUSE/),
    ]);
    expect(await tried(withMetrics('127.0.0.1:notaport', null))).toEqual([
      2,
      expect.stringMatching(/metrics\.addr/),
    ]);
    // None of this was seen by the one that runs.
    expect((await page(own(), `Bearer ${KEY}`)).status).toBe(200);
  });
});
