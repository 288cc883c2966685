import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeRequest } from '../../agent/engine/embedded/data/relay-codec.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { HOST, LiveEngine, type LiveStream, namedOrigin, openStream } from '../harness/live-engine.ts';
import {
  relayHeader,
  smuxFrames,
  webSocketFrames,
  webSocketHandshake,
  webSocketRequest,
} from '../harness/malformed.ts';
import { createTestCa, type Issued, writeIdentity } from '../harness/test-ca.ts';
import { chanceOf } from '../harness/wild-streams.ts';

// A live engine, good streams over every transport, and ten thousand of each kind of nonsense beside them.

const SEED = 20_261;
const MANY = 10_000;
/** Each of these is a TLS handshake of its own: what the frames do to a session is tried ten thousand times in wire/. */
const SOME = 1_000;
const AT_ONCE = 32;
const MEMORY = 96 * 1024 * 1024;
const TYPES = ['tcp', 'ws', 'mtls', 'mwss'] as const;

let live: LiveEngine;
let origin: Awaited<ReturnType<typeof namedOrigin>>;
let identity: Awaited<ReturnType<typeof writeIdentity>>;
let peer: Issued;
let ca: string;
let streams: LiveStream[] = [];
let ports: Record<(typeof TYPES)[number], number>;

beforeAll(async () => {
  const authority = await createTestCa();
  ca = authority.ca;
  identity = await writeIdentity(authority, 'n1');
  peer = await authority.issueNode('n2');
  origin = await namedOrigin('A');
  live = await LiveEngine.start(1);
  const free = await freePorts(TYPES.length * 2);
  const inward = free.slice(TYPES.length);
  ports = Object.fromEntries(TYPES.map((t, i) => [t, free[i]])) as typeof ports;
  const auth = 'auth: {username: edge, password: s3}';
  const core = (t: string): string =>
    `  - {name: svc-${t}, addr: "${HOST}:${ports[t as keyof typeof ports]}", handler: {type: relay, auther: edges}, listener: {type: ${t}}, forwarder: {nodes: [{name: o, addr: "${HOST}:${origin.port}"}]}}\n`;
  const edge = (t: string, i: number): string =>
    `  - {name: in-${t}, addr: "${HOST}:${inward[i]}", handler: {type: tcp, chain: ${t}}}\n`;
  const hop = (t: string): string =>
    `  - {name: ${t}, nodes: [{name: n, addr: "${HOST}:${ports[t as keyof typeof ports]}", connector: {type: relay, ${auth}}, dialer: {type: ${t}}}]}\n`;
  await live.apply(
    `services:\n${TYPES.map(core).join('')}${TYPES.map(edge).join('')}chains: [${TYPES.map((t) => `{name: ${t}, hops: [{name: ${t}}]}`).join(', ')}]\nhops:\n${TYPES.map(hop).join('')}authers: [{name: edges, auths: [{username: edge, password: s3}]}]\n`,
    identity,
  );
  streams = await Promise.all(inward.map((port) => openStream(port, false)));
});

afterAll(async () => {
  for (const s of streams) s.close();
  await live.stop();
  origin.close();
  await identity.remove();
});

async function leftIn(pid: number): Promise<{ descriptors: number; memory: number }> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8');
  return {
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    memory: Number(statm.split(' ')[1]) * 4096,
  };
}

function connect(type: (typeof TYPES)[number]): net.Socket {
  const at = { port: ports[type], host: HOST };
  if (type === 'tcp' || type === 'ws') return net.connect(at);
  const ALPNProtocols = [type === 'mtls' ? 'aicdn/1' : 'http/1.1'];
  return tls.connect({ ...at, ...peer, ca, ALPNProtocols, checkServerIdentity: () => undefined });
}

/** Says it, and waits for the connection to be closed by the engine, at the latest after our own end. */
async function say(type: (typeof TYPES)[number], bytes: Buffer, first?: Buffer): Promise<void> {
  const socket = connect(type);
  socket.on('error', () => undefined);
  const closed = new Promise((r) => socket.once('close', r));
  if (first === undefined) {
    socket.resume().end(bytes);
  } else {
    socket.write(first);
    socket.once('data', () => socket.resume().end(bytes));
  }
  await closed;
}

async function each(count: number, one: () => Promise<void>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

it('ends every malformed connection, lives, keeps nothing, and its good streams never notice', {
  timeout: 180_000,
}, async () => {
  const chance = chanceOf(SEED);
  const { data } = await live.pids();
  const [pid = 0] = data;
  const valid = encodeRequest({
    auth: { username: 'edge', password: 'no' },
    target: { host: HOST, port: 80 },
  });
  const upgrade = webSocketRequest('/ws', HOST);
  const all = async (share: number): Promise<void> => {
    await each(MANY * share, () => say('tcp', relayHeader(chance, valid)));
    await each(MANY * share, () => say('ws', webSocketHandshake(chance, upgrade)));
    await each(MANY * share, () => say('ws', webSocketFrames(chance), upgrade));
    await each(SOME * share, () => say('mtls', smuxFrames(chance)));
    await each(SOME * share, () => say('mwss', webSocketFrames(chance), upgrade));
    await each(SOME * share, () => {
      const frames = smuxFrames(chance);
      const message = Buffer.concat([Buffer.from([0x82, 0xfe, 0, 0, 0, 0, 0, 0]), frames]);
      message.writeUInt16BE(frames.length, 2);
      return say('mwss', message, upgrade);
    });
  };
  const { descriptors } = await leftIn(pid);
  await all(0.25);
  while ((await leftIn(pid)).descriptors > descriptors) await new Promise((r) => setTimeout(r, 50));
  const { memory } = await leftIn(pid);
  await all(0.75);
  while ((await leftIn(pid)).descriptors > descriptors) await new Promise((r) => setTimeout(r, 50));
  expect((await leftIn(pid)).memory - memory).toBeLessThan(MEMORY);
  const info = await live.engine.info();
  expect({ restarts: info.restarts, pids: info.workers?.map((w) => w.pid) }).toEqual({
    restarts: 0,
    pids: data,
  });
  const heard = streams.map((s) => s.heard);
  while (streams.some((s, i) => s.over === null && s.heard <= (heard[i] ?? 0)))
    await new Promise((r) => setTimeout(r, 20));
  expect(streams.map((s) => s.over)).toEqual(TYPES.map(() => null));
  const { services } = await live.engine.stats();
  expect(services.reduce((n, s) => n + s.streams, 0)).toBe(TYPES.length * 2);
});
