import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConfigHash } from '../../proto/vocab/ids.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { fakeEngine } from '../fakes/console-master.ts';
import { startBareEngine } from '../harness/bare-engine.ts';
import { edgeDocument, MemoryMaster } from '../harness/memory-master.ts';
import { SteppedOrigin } from '../harness/origin.ts';
import type { Running } from '../harness/running.ts';

// A master that loses sight of nodes whose engines go on carrying: it doubts itself, looks at their ports, and says so.

const LOST = ['hk-1', 'hk-2', 'hk-3', 'sg-1', 'sg-2', 'sg-3'];
const STAY = ['hk-4', 'hk-5', 'sg-4', 'sg-5'];

let dir: string;
let origin: SteppedOrigin;
let engine: Running;
let ports: readonly number[];

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'aicdn-who-'));
  origin = await SteppedOrigin.start();
  ports = await freePorts(LOST.length);
  const services = ports.map(
    (port, i) => `- name: s${i}
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:${origin.port}"}]}
`,
  );
  engine = await startBareEngine({ dir, document: `services:\n${services.join('')}`, workers: 0 });
});
afterAll(async () => {
  await engine?.stop();
  await origin?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A stream that stands, and the next words of it as the origin says them. */
async function stream(port: number) {
  const arrived = origin.next();
  const req = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/v1/chat/completions',
    agent: false,
  });
  req.on('error', () => {});
  req.end('{}');
  const answer = await arrived;
  answer.begin();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.setEncoding('utf8').on('error', () => {});
  return {
    async says(word: string): Promise<void> {
      answer.token(word);
      for (let text = ''; !text.includes(word); ) text += (await once(res, 'data'))[0];
    },
  };
}

it('nodes out of sight that carry on: the suspicion names the master; gone for good, they are', async () => {
  const m = await MemoryMaster.start();
  for (const name of [...LOST, ...STAY]) await m.join(name, {}, { region: name.slice(0, 2) });
  await m.create('v1', edgeDocument(8090));
  await m.publish('v1');
  for (const name of [...LOST, ...STAY]) {
    const hash = m.node(name).target?.hash as ConfigHash;
    await m.ack(name, hash);
    const port = ports[LOST.indexOf(name)];
    const listeners = port === undefined ? [] : [{ service: 'chat', addr: `127.0.0.1:${port}`, type: 'tcp' }];
    const told = fakeEngine({ documentHash: hash, listeners });
    await m.connect(name, { engine: told, effectiveHash: hash });
  }
  const streams = await Promise.all(ports.map(stream));

  for (const name of LOST) await m.disconnect(name);
  await m.pass(41, STAY);
  const value = (): string => m.services.alerts.list().find((a) => a.rule === 'MasterSuspect')?.value ?? '';
  expect(value()).toBe(
    "6 of 10 nodes lost, in hk and sg; dialled 6, 6 answer: look at this master's network first; NodeDown held back",
  );
  // Being dialled has cost no stream.
  for (const s of streams) await s.says('still here');

  // As long as they carry on, nothing is rolled out: three minutes are over long ago.
  await m.pass(300, STAY);
  expect(m.services.suspicion()?.why).toContain('6 answer');
  expect(m.services.alerts.list().filter((a) => a.inhibitedBy.length > 0)).toEqual([]);

  // Now they are gone in truth: the next look says so, and who mends it is not kept from rolling out.
  await engine.stop();
  await m.pass(31, STAY);
  expect(value()).toBe('6 of 10 nodes lost, in hk and sg; dialled 6, 0 answer');
  expect(m.services.suspicion()).toBeNull();
});
