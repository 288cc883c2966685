import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { alive, until } from '../../scripts/demo/process.ts';
import { endlessOrigin } from '../harness/endless-origin.ts';
import { LiveStreams } from '../harness/streams.ts';

// Streams flow while the master is down, and while an agent is: nothing of the control plane is in their path.

describe('kill -9 under 50 live streams', () => {
  let origin: Awaited<ReturnType<typeof endlessOrigin>>;
  let fleet: Fleet;
  const streams = new LiveStreams();

  beforeAll(async () => {
    origin = await endlessOrigin();
    fleet = await Fleet.start({ origins: { a: origin.port, b: origin.port } });
    streams.open(fleet.ports.chat1, 25);
    streams.open(fleet.ports.chat2, 25);
    await flowing();
  });
  afterAll(async () => {
    streams.close();
    await fleet?.stop();
    await origin?.stop();
  });

  const flowing = async (): Promise<void> => {
    const since = streams.chunks;
    await until('10 more chunks on every stream', 20_000, () => (streams.advanced(since, 10) ? true : null));
  };
  const facts = async () =>
    (await fleet.api.listNodes()).nodes.map(({ name, configSync, target, effective, engine }) => ({
      name,
      configSync,
      target,
      effective,
      engine: engine && { instance: engine.instance, pid: engine.pid, documentHash: engine.documentHash },
    }));

  it('of the master: no stream is cut, and it comes back to the same state', async () => {
    const before = await facts();
    fleet.master.kill('SIGKILL');
    await fleet.master.ended;
    await flowing();
    await fleet.startMaster();
    await fleet.inSync();
    expect(await facts()).toEqual(before);
    await flowing();
    expect(streams.cut).toEqual([]);
  });

  it('of an agent: no stream is cut, the engine lives on and is found again', async () => {
    const before = await facts();
    const agent = fleet.agents.get('hk-1');
    const engine = fleet.engines.get('hk-1') ?? 0;
    agent?.kill('SIGKILL');
    await agent?.ended;
    await flowing();
    expect(alive(engine)).toBe(true);
    await fleet.startAgent('hk-1');
    expect(fleet.engines.get('hk-1')).toBe(engine);
    await fleet.inSync();
    expect(await facts()).toEqual(before);
    await flowing();
    expect(streams.cut).toEqual([]);
  });
});
