import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { VERSION } from '../../proto/vocab/version.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import {
  childrenOf,
  ENGINE,
  HOST,
  keepAsking,
  LiveEngine,
  type LiveStream,
  namedOrigin,
  openStream,
  request,
} from '../harness/live-engine.ts';
import { createTestCa, type TestCa, writeIdentity } from '../harness/test-ca.ts';

// Two cores behind one edge that has the default `retries: 0`. One of them is drained, comes back, is changed and is
// upgraded, under streams that last and requests that never cease: nobody at the edge may notice.

const LASTING = 10;
let ca: TestCa;
let other: TestCa;
let engines: LiveEngine[];
let origins: Awaited<ReturnType<typeof namedOrigin>>[];
let identities: Awaited<ReturnType<typeof writeIdentity>>[];
let streams: LiveStream[];

beforeAll(async () => {
  ca = await createTestCa();
  other = await createTestCa('another fleet');
});

beforeEach(async () => {
  streams = [];
  engines = [];
  origins = [await namedOrigin('A'), await namedOrigin('B')];
  identities = await Promise.all(['edge-1', 'core-a', 'core-b'].map((name) => writeIdentity(ca, name)));
});

afterEach(async () => {
  for (const s of streams) s.close();
  for (const e of engines) await e.stop();
  for (const o of origins) o.close();
  for (const i of identities) await i.remove();
});

/** Every stream is open and goes on hearing. */
async function expectAllAlive(): Promise<void> {
  const before = streams.map((s) => s.heard);
  while (streams.some((s, i) => s.over === null && s.heard <= (before[i] ?? 0))) {
    await new Promise((r) => setTimeout(r, 20));
  }
  expect(streams.map((s) => s.over).filter((o) => o !== null)).toEqual([]);
}

async function release(engine: LiveEngine, version: string): Promise<string> {
  const file = join(engine.dir, version, 'engine.mjs');
  await mkdir(dirname(file));
  await copyFile(ENGINE, file);
  const text = await readFile(ENGINE, 'utf8');
  await writeFile(file, text.replace(`VERSION = "${VERSION}"`, `VERSION = "${version}"`));
  return file;
}

describe.each(['mtls', 'mwss', 'tls'] as const)('a core that goes away, over %s', (type) => {
  const coreOf = (port: number, origin: number | undefined, handler = 'relay'): string =>
    `services: [{name: svc, addr: "${HOST}:${port}", handler: {type: ${handler}}, listener: {type: ${type}}, forwarder: {nodes: [{name: o, addr: "${HOST}:${origin}"}]}}]`;

  async function start(): Promise<{ port: number; ports: readonly [number, number] }> {
    const [port = 0, a = 0, b = 0] = await freePorts(3);
    engines = await Promise.all([LiveEngine.start(1), LiveEngine.start(2), LiveEngine.start(1)]);
    const [edge, coreA, coreB] = engines;
    await coreA?.apply(coreOf(a, origins[0]?.port), identities[1]);
    await coreB?.apply(coreOf(b, origins[1]?.port), identities[2]);
    const node = (name: string, at: number): string =>
      `{name: ${name}, addr: "${HOST}:${at}", connector: {type: relay}, dialer: {type: ${type}}}`;
    await edge?.apply(
      `services: [{name: in, addr: "${HOST}:${port}", handler: {type: tcp, chain: c}, listener: {type: tcp}}]
chains: [{name: c, hops: [{name: h}]}]
hops: [{name: h, selector: {strategy: fifo, maxFails: 1, failTimeout: 500ms}, nodes: [${node('a', a)}, ${node('b', b)}]}]
`,
      identities[0],
    );
    return { port, ports: [a, b] };
  }

  async function untilFrom(port: number, origin: string): Promise<void> {
    while ((await request(port, false)).origin !== origin) await new Promise((r) => setTimeout(r, 20));
  }

  it('takes its streams along and gives new ones up, and none is lost', async () => {
    const { port } = await start();
    const coreA = engines[1] as LiveEngine;
    streams = await Promise.all(Array.from({ length: LASTING }, () => openStream(port, false)));
    const ask = keepAsking([
      { port, secure: false },
      { port, secure: false },
    ]);
    for (let round = 0; round < 2; round++) {
      await untilFrom(port, 'A');
      await coreA.engine.drain({ service: null, deadlineMs: 300_000 });
      await untilFrom(port, 'B');
      await expectAllAlive();
      await coreA.engine.undrain({ service: null });
      await untilFrom(port, 'A');
    }
    // Sessions let in by the certificate authorities of before are not as good as new ones.
    await appendFile(identities[1]?.caFile ?? '', `\n${other.ca}`);
    expect(await coreA.engine.reload()).toMatchObject({ unchanged: false });
    await untilFrom(port, 'A');
    await expectAllAlive();
    const { workers } = await coreA.engine.upgrade({
      exec: await release(coreA, '0.2.0'),
      deadlineMs: 300_000,
    });
    expect(workers).toHaveLength(2);
    await expectAllAlive();
    // Those of the old release end with the streams they had, though requests never cease.
    for (const s of streams) s.close();
    while ((await childrenOf(coreA.child.pid ?? 0)).length > 3) await new Promise((r) => setTimeout(r, 50));
    await untilFrom(port, 'A');
    const { asked, failed } = await ask.stop();
    expect(failed).toEqual([]);
    expect(asked).toBeGreaterThan(20);
    const { services } = await coreA.engine.stats();
    expect(services).toMatchObject([{ service: 'svc', abortedTunnel: 0 }]);
  });
});
