import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import { startBareEngine } from '../harness/bare-engine.ts';
import type { Running } from '../harness/running.ts';

const HOST = '127.0.0.1';
const WORKERS = 3;
/** Descriptors a process: some hundred connections of two each. */
const FILES = 256;
/** More than one worker can hold, less than all of them. */
const MANY = 220;

let dir: string;
let engine: Running;
let port: number;
let origin: net.Server;
const clients: net.Socket[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aicdn-full-'));
  origin = net.createServer((s) => {
    s.on('error', () => undefined);
    s.pipe(s);
  });
  origin.listen({ port: 0, host: HOST, backlog: 1024 });
  await once(origin, 'listening');
  [port = 0] = await freePorts(1);
  const target = `${HOST}:${(origin.address() as net.AddressInfo).port}`;
  engine = await startBareEngine({
    dir,
    document: `services:
- name: in
  addr: "${HOST}:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: origin, addr: "${target}"}]}
`,
    workers: WORKERS,
    within: ['sh', '-c', `ulimit -n ${FILES} && exec "$@"`, 'sh'],
  });
});

afterAll(async () => {
  for (const c of clients) c.destroy();
  origin.close();
  await engine.stop();
  await rm(dir, { recursive: true });
});

/** What it answers, or how it ended. */
async function asked(socket: net.Socket, word: string): Promise<string> {
  const answered = Promise.withResolvers<string>();
  socket.once('data', (bytes) => answered.resolve(bytes.toString()));
  socket.once('close', () => answered.resolve('closed'));
  socket.write(word);
  return answered.promise;
}

async function connected(): Promise<string> {
  const socket = net.connect({ port, host: HOST });
  const fault = Promise.withResolvers<string>();
  socket.on('error', (e: NodeJS.ErrnoException) => fault.resolve(e.code ?? e.message));
  const said = await Promise.race([asked(socket, 'hello'), fault.promise]);
  if (said === 'hello') clients.push(socket);
  return said;
}

it('leaves to its neighbours what a full worker cannot take; none is dropped, and what stands stays', async () => {
  for (let i = 0; i < MANY; i++) expect(await connected()).toBe('hello');
  expect(engine.text).not.toContain('EMFILE');
  // All of them full: refused at the door, as a host does that is not there, so that an edge goes elsewhere.
  let said = '';
  for (let i = 0; i < WORKERS * FILES && said !== 'ECONNREFUSED'; i++) said = await connected();
  expect(said).toBe('ECONNREFUSED');
  expect(engine.text).toContain('this worker takes no new connections until there are fewer');
  const answers = await Promise.all(clients.map((c) => asked(c, 'still')));
  expect(new Set(answers)).toEqual(new Set(['still']));
  for (const c of clients.splice(0, 200)) c.destroy();
  await engine.wrote(/it takes new connections again/);
  await expect.poll(connected, { timeout: 20_000 }).toBe('hello');
});
