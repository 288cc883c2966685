import { describe, expect, it } from 'vitest';
import {
  COMMAND_STATES,
  type CommandState,
  type CommandTask,
  isSettled,
  type TaskState,
} from '../../../proto/vocab/command.ts';
import type { CommandId, NodeName } from '../../../proto/vocab/ids.ts';
import { aged, due, queued, reported, taskState } from './task.ts';

const ID = 'c1' as CommandId;
const A = 'hk-1' as NodeName;
const B = 'hk-2' as NodeName;
const task = (states: Record<string, CommandState>): CommandTask => ({
  id: ID,
  type: 'reload',
  target: {},
  state: taskState(Object.values(states)),
  results: Object.fromEntries(
    Object.entries(states).map(([name, state]) => [name, { ...queued(ID), state }]),
  ) as CommandTask['results'],
  createdBy: 'lin',
  createdAt: 1000,
  expiresAt: 61_000,
  timeoutMs: 30_000,
  endedAt: Object.values(states).every(isSettled) ? 5 : null,
  reason: '',
  modRevision: 1,
});
const report = (state: CommandState) => ({ ...queued(ID), state, tookMs: 42 });

describe('a node’s report', () => {
  // queued -> received -> running -> settled, forwards only.
  const order: CommandState[] = ['queued', 'received', 'running'];
  for (const from of COMMAND_STATES) {
    for (const to of COMMAND_STATES) {
      const forwards = isSettled(to) || order.indexOf(to) > order.indexOf(from);
      const legal = !isSettled(from) && forwards;
      it(`${from} -> ${to}: ${legal ? 'taken' : 'counts for nothing'}`, () => {
        const before = task({ [A]: from, [B]: 'queued' });
        const after = reported(before, A, report(to), 2000);
        if (legal) expect(after.results[A]).toEqual(report(to));
        else expect(after).toBe(before);
      });
    }
  }

  it('delivered three times is counted once', () => {
    const once = reported(task({ [A]: 'queued' }), A, report('succeeded'), 2000);
    expect(once).toMatchObject({ state: 'succeeded', endedAt: 2000 });
    const twice = reported(once, A, report('succeeded'), 3000);
    expect(reported(twice, A, report('failed'), 4000)).toBe(once);
  });

  it('of a node that was not asked is refused', () => {
    const t = task({ [A]: 'queued' });
    expect(() => reported(t, B, report('succeeded'), 1)).toThrow(/not for hk-2/);
    expect(() => reported(t, 'constructor' as NodeName, report('succeeded'), 1)).toThrow(/not for/);
  });
});

describe('time', () => {
  const at = (now: number, states: Record<string, CommandState>, since = 1000) =>
    aged(task(states), () => since, now);

  it('queued -> expired at its expiry, not before', () => {
    expect(at(60_999, { [A]: 'queued' }).results[A]?.state).toBe('queued');
    expect(at(61_000, { [A]: 'queued' })).toMatchObject({ state: 'timed_out', endedAt: 61_000 });
    expect(at(61_000, { [A]: 'queued' }).results[A]?.state).toBe('expired');
  });

  it.each<CommandState>(['received', 'running'])(
    '%s -> timed_out after its timeout and the time a report may take',
    (s) => {
      expect(at(35_999, { [A]: s }).results[A]?.state).toBe(s);
      expect(at(36_000, { [A]: s }).results[A]?.state).toBe('timed_out');
      expect(at(36_000, { [A]: s }, 20_000).results[A]?.state).toBe(s);
    },
  );

  it('nothing settled changes, and an ended task is the very same', () => {
    const ended = task({ [A]: 'succeeded' });
    expect(aged(ended, () => 0, 1e9)).toBe(ended);
    expect(at(1e9, { [A]: 'succeeded', [B]: 'queued' })).toMatchObject({ state: 'partial' });
  });

  it('a node is told while it has not settled and the command has not expired', () => {
    expect(due(task({ [A]: 'queued' }), A, 60_999)).toBe(true);
    expect(due(task({ [A]: 'running' }), A, 60_999)).toBe(true);
    expect(due(task({ [A]: 'queued' }), A, 61_000)).toBe(false);
    expect(due(task({ [A]: 'succeeded' }), A, 1)).toBe(false);
    expect(due(task({ [A]: 'queued' }), B, 1)).toBe(false);
  });
});

it.each<[CommandState[], TaskState]>([
  [['queued', 'queued'], 'queued'],
  [['queued', 'received'], 'running'],
  [['succeeded', 'queued'], 'running'],
  [['succeeded', 'succeeded'], 'succeeded'],
  [['succeeded', 'failed'], 'partial'],
  [['failed', 'rejected'], 'failed'],
  [['failed', 'expired'], 'failed'],
  [['expired', 'timed_out'], 'timed_out'],
  [['cancelled', 'cancelled'], 'cancelled'],
])('%j make a task %s', (states, state) => {
  expect(taskState(states)).toBe(state);
});
