import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandResult } from '../../proto/vocab/command.ts';
import { AppError } from '../../proto/vocab/errors.ts';
import type { CommandId } from '../../proto/vocab/ids.ts';
import { EngineTwin } from '../../test/fakes/engine-twin.ts';
import type { Log } from '../core/log.ts';
import { Ledger } from '../spool/ledger.ts';
import { SERVES } from '../spool/standing.ts';
import { type Command, Commands } from './commands.ts';
import { Duty } from './duty.ts';
import { createOrders, type Orders } from './orders.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const NOW = 1_000_000;
const command = (id: string, more: Partial<Command> = {}): Command => ({
  id: id as CommandId,
  type: 'reload',
  timeoutMs: 5000,
  expiresAt: NOW + 1000,
  options: {},
  ...more,
});

let stateDir: string;
let engine: EngineTwin;
let told: CommandResult[];

beforeEach(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'aicdn-commands-'));
  engine = new EngineTwin();
  told = [];
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

function orders(): Orders {
  const needs = { engine, now: () => NOW };
  return createOrders({
    ...needs,
    duty: new Duty(SERVES, { ...needs, spool: { keep: async () => undefined }, log: quiet }),
    engineProgram: '/opt/engine.mjs',
    expectNewEngine: () => undefined,
    wake: () => undefined,
    certificate: () => ({ node: 'hk-1', notAfter: NOW }),
    readFile: () => Promise.reject(new Error('no such file')),
    sleep: async () => undefined,
  });
}

/** An agent's start: the ledger is read from the disk. */
async function open(
  over: { put?: () => Promise<void>; exclusive?: <T>(work: () => Promise<T>) => Promise<T> } = {},
): Promise<Commands> {
  const ledger = new Ledger({ stateDir }, { now: () => NOW, report: () => undefined });
  await ledger.load();
  if (over.put) ledger.put = over.put;
  return new Commands({
    ledger,
    orders: orders(),
    exclusive: over.exclusive ?? ((work) => work()),
    report: (result) => told.push(result),
    masterNow: () => NOW,
    now: () => NOW,
    log: quiet,
  });
}
const reloads = (): number => engine.calls.filter((c) => c === 'reload').length;

describe('a command', () => {
  it('is carried out once, however often it is delivered and whoever restarts', async () => {
    const one = await open();
    await Promise.all([one.receive(command('c1')), one.receive(command('c1'))]);
    await one.receive(command('c1'));
    const two = await open();
    await two.receive(command('c1'));
    expect(reloads()).toBe(1);
    expect(told.map((r) => r.state)).toEqual(['running', 'succeeded', 'succeeded', 'succeeded']);
    expect(told.at(-1)).toEqual(told[1]);
    expect(told[1]).toMatchObject({
      before: { generation: 0 },
      after: { generation: 1 },
      unchanged: true,
      streamsKept: 4,
      exitCode: 0,
    });
  });

  it('that was running when the agent was killed is not begun again', async () => {
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const killed = await open();
    engine.reload = () => {
      begun();
      return new Promise(() => {});
    };
    void killed.receive(command('c1'));
    await running;
    const next = await open();
    await next.receive(command('c1'));
    expect(told.at(-1)).toMatchObject({ commandId: 'c1', state: 'failed' });
    expect(told.at(-1)?.outputTail).toMatch(/restarted/);
  });

  it('that comes too late is refused for good', async () => {
    const one = await open();
    await one.receive(command('c1', { expiresAt: NOW - 1 }));
    await one.receive(command('c1', { expiresAt: NOW + 99 }));
    expect(told.map((r) => r.state)).toEqual(['expired', 'expired']);
    expect(reloads()).toBe(0);
  });

  it('that fails, or takes too long, says why', async () => {
    const one = await open();
    engine.before = (call) => {
      if (call === 'reload') {
        const refusals = [
          { code: 'tls', path: 'services[0].listener.tls.certFile', message: 'no such file' },
        ];
        throw new AppError('invalid', 'refused', { refusals });
      }
    };
    await one.receive(command('c1'));
    expect(told.at(-1)).toMatchObject({ state: 'failed', exitCode: 1 });
    expect(told.at(-1)?.outputTail).toBe('services[0].listener.tls.certFile: no such file');
    engine.reload = () => new Promise(() => {});
    await one.receive(command('c2', { timeoutMs: 10 }));
    expect(told.at(-1)).toMatchObject({ state: 'timed_out', exitCode: 1 });
  });

  it('taken back while it waits for its turn is not begun; once begun, its result counts', async () => {
    const turns: (() => void)[] = [];
    const one = await open({
      exclusive: async (work) => {
        await new Promise<void>((resolve) => turns.push(resolve));
        return work();
      },
    });
    const waits = one.receive(command('c1'));
    const runs = one.receive(command('c2'));
    await vi.waitFor(() => expect(turns).toHaveLength(2));
    await one.cancel('c1' as CommandId);
    await waits;
    for (const turn of turns) turn();
    await runs;
    await one.cancel('c2' as CommandId);
    const last = (id: string) => told.findLast((r) => r.commandId === id)?.state;
    expect([last('c1'), last('c2')]).toEqual(['cancelled', 'succeeded']);
    expect(reloads()).toBe(1);
  });

  it('taken back before it came is not begun when it comes, also after a restart', async () => {
    await (await open()).cancel('c1' as CommandId);
    const two = await open();
    await two.receive(command('c1'));
    expect(told.map((r) => r.state)).toEqual(['cancelled', 'cancelled']);
    expect(reloads()).toBe(0);
  });

  it('whose turn does not come in time is not begun later', async () => {
    let turn = (): void => {};
    const one = await open({
      exclusive: async (work) => {
        await new Promise<void>((resolve) => {
          turn = resolve;
        });
        return work();
      },
    });
    await one.receive(command('c1', { timeoutMs: 5 }));
    expect(told.at(-1)).toMatchObject({ state: 'timed_out' });
    expect(told.at(-1)?.outputTail).toMatch(/turn did not come/);
    turn();
    await new Promise((resolve) => setImmediate(resolve));
    expect(reloads()).toBe(0);
  });

  it('that is kept for later releases is rejected', async () => {
    await (await open()).receive(command('c1', { type: 'probe' }));
    expect(told).toMatchObject([{ state: 'rejected', exitCode: 1 }]);
  });

  it('that cannot be recorded is not begun', async () => {
    const one = await open({ put: () => Promise.reject(new Error('ENOSPC')) });
    await one.receive(command('c1'));
    expect(told).toMatchObject([{ state: 'failed' }]);
    expect(told[0]?.outputTail).toMatch(/not begun.*ENOSPC/);
    expect(reloads()).toBe(0);
  });
});
