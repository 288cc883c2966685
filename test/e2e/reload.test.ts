import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { Fleet } from '../../scripts/demo/fleet.ts';
import { until } from '../../scripts/demo/process.ts';
import { endlessOrigin } from '../harness/endless-origin.ts';
import { LiveStreams } from '../harness/streams.ts';

let origin: Awaited<ReturnType<typeof endlessOrigin>>;
let fleet: Fleet;
const streams = new LiveStreams();
beforeAll(async () => {
  origin = await endlessOrigin();
  fleet = await Fleet.start({ origins: { a: origin.port, b: origin.port }, nodes: ['cn-1', 'hk-1'] });
  streams.open(fleet.ports.chat1, 10);
  await until('10 streams flow', 15_000, () => (streams.advanced([], 3) ? true : null));
});
afterAll(async () => {
  streams.close();
  await fleet?.stop();
  await origin?.stop();
});

const node = async (name: string) => {
  const found = (await fleet.api.listNodes()).nodes.find((n) => n.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
};
const createAndPublish = async (label: string, text: string): Promise<void> => {
  const m = { reason: 'test' };
  await fleet.api.createConfig(m, { label, description: '', body: Buffer.from(text), parent: 'v2' });
  await fleet.api.publish(m, {
    label,
    target: { nodeType: 'edge' },
    dryRun: false,
  });
};
const document = async (label: string): Promise<string> =>
  Buffer.from((await fleet.api.getConfig(label)).body).toString('utf8');

describe('the nodes obey', () => {
  it('a reload’s result is read back from the engine: generation and hash before and after', async () => {
    const before = await node('hk-1');
    const { command } = await fleet.api.runCommand(
      { reason: 'test' },
      {
        type: 'reload',
        target: { nodes: ['hk-1' as NodeName] },
        timeoutMs: null,
        expiresMs: null,
        dryRun: false,
        maxParallel: null,
        options: {},
      },
    );
    const result = await until('the reload settled', 15_000, async () => {
      const r = Object.values((await fleet.api.getCommand(command.id)).results)[0];
      return r?.state === 'succeeded' || r?.state === 'failed' ? r : null;
    });
    expect(result).toMatchObject({ state: 'succeeded', unchanged: true, streamsKept: 10 });
    expect(result.before?.generation).toBe(before.engine?.generation);
    expect(result.after?.generation).toBe((result.before?.generation ?? 0) + 1);
    expect(result.after?.documentHash).toBe(before.effective?.hash);
    expect((await node('hk-1')).engine?.generation).toBe(result.after?.generation);
    expect(streams.cut).toEqual([]);
  });

  it('a syntax error and an unknown key are refused with line and column, and nothing is stored', async () => {
    const versions = (await fleet.api.listConfigs()).length;
    const good = await document('v2');
    const create = (body: string) =>
      fleet.api.createConfig(
        { reason: 'test' },
        { label: null, description: '', body: Buffer.from(body), parent: null },
      );
    await expect(create(good.replace('handler: {type: tcp', 'handler: {type: tcp]'))).rejects.toMatchObject({
      code: 'invalid',
      refusals: [expect.objectContaining({ line: 4 })],
    });
    await expect(create(good.replace('retries: 1', 'retires: 1'))).rejects.toMatchObject({
      code: 'invalid',
      refusals: [expect.objectContaining({ line: 4, path: 'services[0].handler.retires' })],
    });
    expect((await fleet.api.listConfigs()).length).toBe(versions);
    expect(streams.cut).toEqual([]);
  });

  it('a port in use is refused by the node; it keeps what it ran, and says why', async () => {
    const before = await node('hk-1');
    const text = (await document('v2')).replace(/\$\{label\.chat_port\}/, `${fleet.ports.http}`);
    await createAndPublish('v-clash', text);
    const after = await until('hk-1 refused v-clash', 20_000, async () => {
      const n = await node('hk-1');
      return n.configSync === 'failed' ? n : null;
    });
    expect(after.failure?.refusal.message).toMatch(new RegExp(`${fleet.ports.http}|in use`));
    expect(after.effective?.hash).toBe(before.effective?.hash);
    expect(after.rejectedHash).toBe(after.target?.hash);
    expect(streams.cut).toEqual([]);
  });

  it('rolled back: a new version with the previous content, in sync again, streams untouched', async () => {
    const { version } = await fleet.api.rollback(
      { reason: 'the port is taken' },
      { label: 'v-clash', target: {}, confirmNodes: null },
    );
    expect(version.rollbackOf).not.toBeNull();
    expect(await document(version.label)).toBe(await document('v2'));
    await fleet.inSync();
    const since = streams.chunks;
    await until('streams go on', 10_000, () => (streams.advanced(since, 5) ? true : null));
    expect(streams.cut).toEqual([]);
  });
});
