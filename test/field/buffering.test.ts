import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Counters, deltas } from '../../agent/core/deltas.ts';
import { createEmbeddedEngine } from '../../agent/engine/embedded/client.ts';
import type { Engine } from '../../agent/engine/port.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { reportOf } from '../fakes/traffic.ts';
import { startBareEngine } from '../harness/bare-engine.ts';
import { MemoryMaster } from '../harness/memory-master.ts';
import { Running } from '../harness/running.ts';

// client → edge → core → nginx → origin, all of them real, and what both engines count of it goes to a master whose clock
// is the test's. nginx passes /off/ on as it comes, and holds /on/ back, as it does unless it is told otherwise.

const CHUNKS = 60;
const GAP_MS = 15;
const ANSWERS = 60;
const AT_ONCE = 12;
const NODES = [
  ['hk-1', 'edge'],
  ['cn-1', 'core'],
] as const;

let dir: string;
let origin: http.Server;
let nginx: Running;
const running: Running[] = [];
const engines: Engine[] = [];
const last = new Map<Engine, Counters>();
let edgePort = 0;
let master: MemoryMaster;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'aicdn-buffering-'));
  const [originPort = 0, nginxPort = 0, corePort = 0, port = 0] = await freePorts(4);
  edgePort = port;
  origin = http.createServer((_request, response) => void tell(response)).listen(originPort, '127.0.0.1');
  nginx = await startNginx(nginxPort, originPort);
  const node = (name: string, addr: number) => `nodes: [{name: ${name}, addr: "127.0.0.1:${addr}"`;
  await carry(
    'edge',
    `services: [{name: chat, addr: "127.0.0.1:${edgePort}", handler: {type: tcp, chain: c}}]
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, ${node('n', corePort)}, connector: {type: relay}, dialer: {type: tcp}}]}]`,
  );
  await carry(
    'core',
    `services: [{name: chat, addr: "127.0.0.1:${corePort}", handler: {type: relay}, listener: {type: tcp}, forwarder: {${node('o', nginxPort)}}]}}]`,
  );
  master = await MemoryMaster.start();
  await master.join('hk-1');
  await master.join('cn-1', {}, { nodeType: 'core', region: 'cn' });
});

afterAll(async () => {
  for (const e of engines) e.close();
  for (const r of [...running, nginx]) await r?.stop();
  origin?.closeAllConnections();
  origin?.close();
  await rm(dir, { recursive: true, force: true });
});

async function tell(response: http.ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let i = 0; i < CHUNKS; i++) {
    response.write(`data: {"choices":[{"delta":{"content":" ${i}"}}]}\n\n`);
    await sleep(GAP_MS);
  }
  response.end('data: [DONE]\n\n');
}

async function startNginx(port: number, originPort: number): Promise<Running> {
  const file = path.join(dir, 'nginx.conf');
  const pass = `proxy_pass http://127.0.0.1:${originPort}/;`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (t) => `${t}_temp_path ${dir}/${t};`,
  );
  await writeFile(
    file,
    `daemon off; pid ${dir}/nginx.pid; error_log stderr notice; worker_processes 1;
events { worker_connections 512; }
http {
  access_log off; ${temporary.join(' ')}
  server {
    listen 127.0.0.1:${port};
    location /off/ { ${pass} proxy_buffering off; }
    location /on/ { ${pass} }
  }
}
`,
  );
  const started = new Running('nginx', ['-p', dir, '-e', 'stderr', '-c', file]);
  await started.wrote(/start worker process /);
  return started;
}

async function carry(name: string, document: string): Promise<void> {
  const own = await mkdtemp(path.join(dir, `${name}-`));
  running.push(await startBareEngine({ dir: own, document, workers: 1 }));
  const engine = createEmbeddedEngine({ socket: path.join(own, 'engine.sock'), log: () => undefined });
  engines.push(engine);
  await new Promise<void>((resolve) => engine.onLink((up) => up && resolve()));
  last.set(engine, await engine.stats());
}

const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

async function ask(where: 'on' | 'off'): Promise<void> {
  const url = `http://127.0.0.1:${edgePort}/${where}/v1/chat/completions`;
  const text = await new Promise<string>((resolve, reject) => {
    const request = http.request(url, { agent, method: 'POST' }, (response) => {
      let heard = '';
      response.setEncoding('utf8').on('data', (c) => {
        heard += c;
      });
      response.on('end', () => resolve(heard));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end('{"stream":true}');
  });
  expect(text).toMatch(/\[DONE\]/);
}

/** Each engine has counted so many answers more, and tells them as those of the minute that the master's clock passes. */
async function minuteOf(where: 'on' | 'off'): Promise<void> {
  await Promise.all(Array.from({ length: ANSWERS }, () => ask(where)));
  master.now += 59_000;
  for (const [i, engine] of engines.entries()) {
    const slices = await counted(engine);
    const [name = ''] = NODES[i] ?? [];
    master.services.agents.metrics(name as NodeName, reportOf(slices, 59_000));
  }
  await master.pass(1, ['hk-1', 'cn-1']);
}

async function counted(engine: Engine): Promise<ReturnType<typeof deltas>> {
  const before = last.get(engine) as Counters;
  for (;;) {
    const now = await engine.stats();
    const slices = deltas(before, now);
    if (slices.reduce((n, s) => n + s.requests, 0) >= ANSWERS) {
      last.set(engine, now);
      return slices;
    }
    await sleep(50);
  }
}

/** Minutes in which nobody asks: what was, is no part of what is. */
async function quiet(minutes: number): Promise<void> {
  for (let i = 0; i < minutes; i++) {
    master.now += 59_000;
    await master.pass(1, ['hk-1', 'cn-1']);
  }
}

function alerts(): readonly (readonly [node: string | undefined, state: string, value: string])[] {
  return master.services.alerts
    .list()
    .filter((a) => a.rule === 'Buffering')
    .map((a) => [a.labels['node'], a.state, a.value] as const)
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
}

it('nginx that passes on what comes is no alert', async () => {
  await minuteOf('off');
  await quiet(14);
  await minuteOf('off');
  await quiet(3);
  expect(alerts()).toEqual([]);
});

it('nginx that holds answers back is one, on both nodes, which say on which side it is', async () => {
  await quiet(12);
  await minuteOf('on');
  await quiet(3);
  const seen = alerts();
  expect(seen.map(([node, state]) => [node, state])).toEqual([
    ['cn-1', 'firing'],
    ['hk-1', 'firing'],
  ]);
  expect(seen[0]?.[2]).toMatch(
    /^answers are held back between here and the origin: TTFT p95 .* \(was .*\), .*gap/,
  );
  expect(seen[1]?.[2]).toMatch(/^answers are held back from here on to the origin: TTFT p95/);
});
