import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../scripts/demo/ports.ts';
import {
  childrenOf,
  HOST,
  LiveEngine,
  type LiveStream,
  namedOrigin,
  openStream,
  request,
} from '../harness/live-engine.ts';

// Silence is believed after fifteen seconds: these tests wait for that.

const LIVE = 20;
let live: LiveEngine;
let origin: Awaited<ReturnType<typeof namedOrigin>>;
let streams: LiveStream[];
let port: number;

beforeEach(async () => {
  origin = await namedOrigin('A');
  [port = 0] = await freePorts(1);
  live = await LiveEngine.start(2);
  await live.apply(documentTo(origin.port));
  streams = await Promise.all(Array.from({ length: LIVE }, () => openStream(port, false)));
});

afterEach(async () => {
  for (const s of streams) s.close();
  await live.stop();
  origin.close();
});

function documentTo(target: number): string {
  return `services: [{name: plain, addr: "${HOST}:${port}", handler: {type: tcp}, forwarder: {nodes: [{name: o, addr: "${HOST}:${target}"}]}}]`;
}

/** Every stream is open and goes on hearing. */
async function expectAllAlive(those: readonly LiveStream[]): Promise<void> {
  const before = those.map((s) => s.heard);
  while (those.some((s, i) => s.over === null && s.heard <= (before[i] ?? 0))) {
    await new Promise((r) => setTimeout(r, 20));
  }
  expect(those.map((s) => s.over).filter((o) => o !== null)).toEqual([]);
}

const said = async (): Promise<readonly string[]> =>
  (await live.engine.logs(0, 1_000)).lines.map((l) => l.text);

describe('an engine of two workers', () => {
  it('replaces a data worker that hangs: the streams of the other go on', async () => {
    const { data } = await live.pids();
    const victim = data[0] ?? 0;
    process.kill(victim, 'SIGSTOP');
    const info = await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect(info.workers?.map((w) => w.pid)).not.toContain(victim);
    expect(await said()).toContain(`the data worker ${victim} has not answered for 15 s and is killed`);
    await expectAllAlive(streams.filter((s) => s.over === null));
    expect((await request(port, false)).origin).toBe('A');
    expect(info.workers?.map((w) => w.pid)).toContain(data[1]);
  });

  it('replaces a control that hangs: no stream notices', async () => {
    const { control, data } = await live.pids();
    process.kill(control, 'SIGSTOP');
    // Its socket still takes connections: nobody would answer on it.
    while ((await childrenOf(live.child.pid ?? 0)).includes(control))
      await new Promise((r) => setTimeout(r, 50));
    const info = await live.until((i) => i.restarts === 1 && i.workers?.length === 2);
    expect(info.workers?.map((w) => w.pid)).toEqual(data);
    expect((await said()).join()).toMatch(`the control worker ${control} did not answer for 15 s`);
    expect((await live.apply(`${documentTo(origin.port)}\n`)).generation).toBe(2);
    await expectAllAlive(streams);
  });
});
