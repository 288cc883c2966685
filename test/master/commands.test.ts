import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandResult } from '../../proto/vocab/command.ts';
import type { CommandId, NodeName } from '../../proto/vocab/ids.ts';
import { fakeEngine } from '../fakes/console-master.ts';
import { MemoryMaster } from '../harness/memory-master.ts';

let m: MemoryMaster;
beforeEach(async () => {
  m = await MemoryMaster.start();
  await m.join('hk-1');
});
const reload = async (
  over: { expiresMs?: number; dryRun?: boolean; target?: object } = {},
): Promise<CommandId> => {
  const args = {
    type: 'reload',
    target: {},
    timeoutMs: null,
    expiresMs: null,
    dryRun: false,
    maxParallel: null,
    options: {},
    ...over,
  } as const;
  return (await m.services.commands.run(m.m(), args)).command.id;
};
const result = (id: CommandId, over: Partial<CommandResult>): CommandResult => ({
  commandId: id,
  state: 'running',
  exitCode: 0,
  outputTail: '',
  before: null,
  after: null,
  unchanged: false,
  tookMs: 12,
  streamsKept: 3,
  ...over,
});
const state = (id: CommandId) => m.services.commands.get(id).results['hk-1' as NodeName]?.state;

it('delivered three times it is counted once, and the engine it read back is known at once', async () => {
  const id = await reload();
  await m.connect('hk-1');
  await m.connect('hk-1');
  expect(m.commands('hk-1')).toEqual([id, id, id]);
  const done = result(id, { state: 'succeeded', after: fakeEngine({ generation: 7 }) });
  await m.result('hk-1', done);
  const { revision } = m.services.nodes.list();
  await m.result('hk-1', done);
  await m.result('hk-1', { ...done, state: 'failed' });
  expect(m.services.nodes.list().revision).toBe(revision);
  expect(m.services.commands.get(id)).toMatchObject({ state: 'succeeded', results: { 'hk-1': done } });
  expect(m.node('hk-1').engine?.generation).toBe(7);
  await m.connect('hk-1');
  expect(m.commands('hk-1')).toHaveLength(3);
});

it('a node that is away takes it when it comes, until it expires', async () => {
  await m.disconnect('hk-1');
  const early = await reload({ expiresMs: 20_000 });
  const late = await reload({ expiresMs: 60_000 });
  expect(m.commands('hk-1')).toEqual([]);
  await m.pass(20);
  await m.connect('hk-1');
  expect(m.commands('hk-1')).toEqual([late]);
  expect(state(early)).toBe('expired');
  expect(m.services.commands.get(early)).toMatchObject({ state: 'timed_out', endedAt: m.now });
});

it('one that took it and went away has timed out', async () => {
  const id = await reload();
  await m.result('hk-1', result(id, { state: 'running' }));
  await m.disconnect('hk-1');
  await m.pass(34);
  expect(state(id)).toBe('running');
  await m.pass(2);
  expect(state(id)).toBe('timed_out');
});

it('a result nobody sent again is in the hello', async () => {
  const id = await reload();
  await m.disconnect('hk-1');
  await m.connect('hk-1', { ledgerOpen: [result(id, { state: 'succeeded' })] });
  expect(state(id)).toBe('succeeded');
});

it('nothing an agent says reaches a terminal as it is', async () => {
  const evil = '\u001b[2Jx\u202e';
  const engine = fakeEngine({
    reason: evil,
    version: evil,
    listeners: [{ service: evil, addr: evil, type: 'tcp' }],
  });
  const id = await reload();
  await m.connect('hk-1', { engine, agentVersion: evil, labels: { rack: evil } });
  await m.result('hk-1', result(id, { state: 'failed', outputTail: evil, before: engine, after: engine }));
  m.services.agents.events('hk-1' as NodeName, [{ at: m.now, kind: evil, text: evil }]);
  await m.services.settled();
  const s = m.store.snapshot();
  const kept = [...s.list('node'), ...s.list('command'), ...s.list('event')];
  expect(JSON.stringify(kept)).not.toMatch(/\\u001b|\u202e/);
  expect(JSON.stringify(kept)).toContain('u{1b}[2Jx');
});

describe('who', () => {
  it('a dry run names them and tells nobody', async () => {
    const args = {
      type: 'reload',
      target: {},
      timeoutMs: null,
      expiresMs: null,
      dryRun: true,
      maxParallel: null,
      options: {},
    } as const;
    expect((await m.services.commands.run(m.m(), args)).nodes).toEqual(['hk-1']);
    expect(m.commands('hk-1')).toEqual([]);
  });

  it('nobody is a refusal', async () => {
    await expect(reload({ target: { regions: ['us'] } })).rejects.toThrow(/region=us/);
  });

  it('a result of a node that was not asked changes nothing', async () => {
    await m.join('hk-2');
    const id = await reload({ target: { nodes: ['hk-1'] } });
    await m.result('hk-2', result(id, { state: 'succeeded' }));
    expect(Object.keys(m.services.commands.get(id).results)).toEqual(['hk-1']);
    expect(state(id)).toBe('queued');
  });
});
