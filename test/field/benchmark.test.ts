import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/demo/process.ts';

// benchmark.sh against an origin that counts for itself.

const servers: Server[] = [];
afterEach(async () => {
  for (const s of servers.splice(0)) {
    s.closeAllConnections();
    await new Promise((done) => s.close(done));
  }
});
async function origin(answer: (n: number, res: ServerResponse, body: string) => void): Promise<number> {
  let n = 0;
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8');
    req.on('data', (text: string) => {
      body += text;
    });
    req.on('end', () => answer(n++, res, body));
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}
const bench = (...args: string[]) =>
  execa(path.join(ROOT, 'scripts/benchmark.sh'), args, { reject: false, cwd: '/' });

describe('requests, by wrk', () => {
  it('prints what the origin answered, and what failed', async () => {
    let answered = 0;
    const port = await origin((n, res) => {
      answered += 1;
      res.writeHead(n % 2 === 0 ? 200 : 503).end('hi');
    });
    const r = await bench('127.0.0.1', `${port}`, '1s', '4', '-o', 'json');
    expect(r.exitCode, r.stderr).toBe(0);
    const said = JSON.parse(r.stdout);
    expect(said).toMatchObject({ mode: 'requests', tool: 'wrk', connections: 4, duration_s: 1 });
    expect(said.requests).toBeGreaterThan(0);
    // What was on its way when the time was over is answered and not counted.
    expect(said.requests).toBeLessThanOrEqual(answered);
    expect(said.requests).toBeGreaterThanOrEqual(answered - 8);
    expect(Math.abs(said.failed - said.requests / 2)).toBeLessThanOrEqual(8);
    expect(said.latency_ms.p99).toBeGreaterThan(0);
  });

  it('nothing answered is a failure', async () => {
    const port = await origin((_, res) => res.destroy());
    const r = await bench('127.0.0.1', `${port}`, '1s', '2');
    expect(r.exitCode).toBe(1);
    expect(r.stderr).toMatch(/error: nothing was answered/);
  });
});

const event = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

describe('streams', () => {
  it('counts whole, aborted and refused ones as the origin made them', async () => {
    const made = { whole: 0, cut: 0, unended: 0, refused: 0 };
    const models = new Set<string>();
    const port = await origin((n, res, body) => {
      models.add((JSON.parse(body) as { model: string }).model);
      const kind = (['whole', 'cut', 'unended', 'refused'] as const)[n % 4] ?? 'whole';
      made[kind] += 1;
      if (kind === 'refused') {
        res.writeHead(503).end();
        return;
      }
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(event('one'));
      // The next arrives for itself.
      setTimeout(() => {
        if (kind === 'cut') {
          res.write(event('two'), () => res.destroy());
          return;
        }
        res.end(`${event('two')}${kind === 'whole' ? 'data: [DONE]\n\n' : ''}`);
      }, 20);
    });
    const r = await bench(
      'localhost',
      `${port}`,
      '2s',
      '8',
      '--mode',
      'stream',
      '--model',
      'm-1',
      '-o',
      'json',
    );
    expect(r.exitCode, r.stderr).toBe(0);
    const said = JSON.parse(r.stdout);
    expect([...models]).toEqual(['m-1']);
    const near = (is: number, want: number): void => {
      // Of eight streams the end may be neither here nor there.
      expect(Math.abs(is - want), JSON.stringify({ said, made })).toBeLessThanOrEqual(8);
      expect(is).toBeGreaterThan(0);
    };
    near(said.whole, made.whole);
    near(said.aborted, made.cut + made.unended);
    near(said.refused, made.refused);
    expect(Object.keys(said.errors).sort()).toEqual([
      'cut in the middle',
      'ended without [DONE]',
      'status 503',
    ]);
    expect(said.ttft_ms.p50).toBeLessThanOrEqual(said.ttft_ms.p95);
    expect(said.gap_ms.max).toBeGreaterThan(10);
  });

  it('ends with its time, whatever the origin does', async () => {
    const port = await origin((_, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write(event('never ends'));
    });
    const r = await bench('127.0.0.1', `${port}`, '1s', '3', '--mode', 'stream', '-o', 'json');
    expect(JSON.parse(r.stdout)).toMatchObject({
      whole: 0,
      aborted: 0,
      refused: 0,
      unfinished: 3,
      events: 3,
    });
  });

  it('a place where nobody listens', async () => {
    const port = await origin(() => {});
    await new Promise((done) => servers.pop()?.close(done));
    const r = await bench('127.0.0.1', `${port}`, '1s', '1', '--mode', 'stream');
    expect(r.exitCode).toBe(1);
    expect(r.stderr).toMatch(/no stream began: ECONNREFUSED/);
  });
});

describe('the command line', () => {
  it.each([
    ['localhost', '443', '30s'],
    ['local host', '443', '30s', '10'],
    ['$(id)', '443', '30s', '10'],
    ['-oProxyCommand=x', '443', '30s', '10'],
    ['localhost', '0', '30s', '10'],
    ['localhost', '443;id', '30s', '10'],
    ['localhost', '443', '30', '10'],
    ['localhost', '443', '2h', '10'],
    ['localhost', '443', '1s', '0'],
    ['localhost', '443', '1s', '1e9'],
    ['localhost', '443', '1s', '1', '--mode', 'flood'],
    ['localhost', '443', '1s', '1', '--tls', '--plain'],
    ['localhost', '443', '1s', '1', '--header', 'a: b\r\nc: d'],
    ['localhost', '443', '1s', '1', '--path', 'no slash'],
    ['localhost', '443', '1s', '1', '--mode', 'stream', '--body', '/nowhere'],
  ])('%j %j %j %j … is refused with 2', async (...args) => {
    const r = await bench(...args);
    expect([r.exitCode, r.stdout], r.stderr).toEqual([2, '']);
    expect(r.stderr).toMatch(/^error: /);
  });
});
