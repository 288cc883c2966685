import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alive } from '../../scripts/demo/process.ts';
import { collectGarbage, INSPECTED } from '../harness/collect-garbage.ts';
import { malformed, sendMalformed } from '../harness/malformed-rest.ts';
import { edgeDocument } from '../harness/memory-master.ts';
import { RestDocument } from '../harness/rest-document.ts';
import { type RestFleet, startRestFleet } from '../harness/rest-fleet.ts';
import { chanceOf } from '../harness/wild-streams.ts';

let rest: RestFleet;
beforeAll(async () => {
  rest = await startRestFleet();
});
afterAll(() => rest?.fleet.stop());

const call = (method: string, path: string, body?: unknown, at = rest) =>
  fetch(`${at.base}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${at.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe('the master as a process', () => {
  test('what is acknowledged over REST is there after kill -9', async () => {
    const made = await call('POST', '/configs', { version: 'v1', config: edgeDocument(8401) });
    expect(made.status).toBe(201);
    const user = { name: 'ann', role: 'viewer', password: 'a long enough password' };
    expect((await call('POST', '/users', user)).status).toBe(201);
    rest.fleet.master.kill('SIGKILL');
    await rest.fleet.master.ended;
    await rest.fleet.startMaster();
    // The same token: sessions outlive the process.
    const read = await call('GET', '/configs/v1');
    expect(read.headers.get('etag')).toBe(made.headers.get('etag'));
    expect(await read.json()).toMatchObject({ config: edgeDocument(8401) });
    expect(await (await call('GET', '/users/ann')).json()).toMatchObject({ role: 'viewer' });
    expect(await (await call('GET', '/audit/verify')).json()).toMatchObject({ ok: true });
  });

  test('connections that say nothing, or not enough, are closed', async () => {
    const { port } = new URL(rest.base);
    const closed = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
        socket.on('close', () => resolve());
        socket.on('error', reject);
        socket.resume();
      });
    await Promise.all([closed(''), closed('GET /api/v1/nodes HTTP/1.1\r\nhost: x\r\n'), closed('GET ')]);
  });
});

const INPUTS = 10_000;
const AT_ONCE = 16;
const MOST_GROWTH_KIB = 50 * 1024;

describe('10,000 malformed requests', () => {
  let asked: RestFleet;
  beforeAll(async () => {
    process.env['NODE_OPTIONS'] = INSPECTED;
    asked = await startRestFleet().finally(() => {
      delete process.env['NODE_OPTIONS'];
    });
  });
  afterAll(() => asked?.fleet.stop());

  /** Without what waits to be collected, and without pages of the program that are read in. */
  const keptKib = async (): Promise<number> => {
    await collectGarbage(asked.fleet.master.logFile);
    const status = readFileSync(`/proc/${asked.fleet.master.pid}/status`, 'utf8');
    return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]);
  };

  test('none brings it down, none is a fault of its own, none gets a stack, memory stays', async () => {
    const document = new RestDocument(await (await fetch(`${asked.base}/openapi.json`)).json());
    // These would end the login that asks.
    const operations = document.operations.filter(
      (o) => !['postAuthLogout', 'postAuthPassword'].includes(o.id),
    );
    const random = chanceOf(20_261_124);
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    const statuses = new Map<number, number>();
    const wrong: string[] = [];
    const run = async (count: number): Promise<void> => {
      let left = count;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          const input = malformed(random, operations, asked.token);
          const { status, text } = await sendMalformed(asked.base, agent, input);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          if (status >= 500 || /\n\s+at |node_modules|\.m?[jt]s:\d/.test(text)) {
            wrong.push(
              `${input.method} ${input.path} ${input.body?.slice(0, 200)} -> ${status} ${text.slice(0, 400)}`,
            );
          }
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    };
    // Until code and pools are warm.
    await run(INPUTS / 5);
    const before = await keptKib();
    await run(INPUTS);
    const after = await keptKib();
    agent.destroy();
    expect(wrong).toEqual([]);
    expect([...statuses.values()].reduce((a, b) => a + b, 0)).toBe(INPUTS * 1.2);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(1000);
    expect(after - before).toBeLessThan(MOST_GROWTH_KIB);
    expect(alive(asked.fleet.master.pid)).toBe(true);
    expect((await fetch(`${asked.base}/health`)).status).toBe(200);
    expect((await call('GET', '/nodes', undefined, asked)).status).toBe(200);
    expect(readFileSync(asked.fleet.master.logFile, 'utf8')).not.toContain('request failed');
  });
});
