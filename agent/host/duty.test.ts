import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readDocument } from '../../proto/document/read.ts';
import { EngineTwin } from '../../test/fakes/engine-twin.ts';
import type { Log } from '../core/log.ts';
import { NEVER } from '../core/standing.ts';
import { SERVES, StandingSpool } from '../spool/standing.ts';
import { Duty } from './duty.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
const NOW = 1_000_000;
const HOUR = 3_600_000;

let stateDir: string;
let engine: EngineTwin;
let spool: StandingSpool;
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'aicdn-duty-'));
  spool = new StandingSpool({ stateDir }, { report: () => undefined });
  engine = new EngineTwin();
  engine.now = () => NOW;
  engine.document = documentOf();
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

function documentOf() {
  const read = readDocument(`services:
- name: chat
  addr: "127.0.0.1:1"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}
`);
  if (!read.ok) throw new Error('document');
  return read.document;
}

/** An agent's start: what it was told is read from the disk. */
const open = async (): Promise<Duty> =>
  new Duty(await spool.load(), { engine, spool, now: () => NOW, log: quiet });
const drains = async () =>
  Object.fromEntries((await engine.drainStatus()).drains.map((d) => [d.service ?? '*', d.deadline]));

it('of two deadlines for everything the sooner counts; each is taken back alone', async () => {
  const duty = await open();
  await duty.stop(null);
  expect(await drains()).toEqual({ '*': NEVER });
  await duty.drain(null, NOW + HOUR);
  await duty.drain('chat', NOW + 5000);
  expect(await drains()).toEqual({ '*': NOW + HOUR, chat: NOW + 5000 });
  expect(await duty.undrain(null)).toBe(true);
  expect(await drains()).toEqual({ '*': NEVER });
  expect(await duty.undrain(null)).toBe(false);
  await duty.start();
  expect(await drains()).toEqual({});
});

it('holds for a new agent and for a new engine, and what nobody told is undone', async () => {
  await (await open()).stop(NOW + HOUR);
  engine.restart('i2', documentOf());
  await engine.drain({ service: 'chat', deadlineMs: 1 });
  const next = await open();
  expect(next.stopped).toBe(true);
  expect(await next.hold('i2')).toBeNull();
  expect(await drains()).toEqual({ '*': NOW + HOUR });
  const { calls } = engine;
  const before = calls.length;
  await next.hold('i2');
  expect(calls).toHaveLength(before);
  expect(await next.standing()).toEqual({ stopped: true, drains: [] });
});

it('what the engine refuses is not kept', async () => {
  const duty = await open();
  await expect(duty.drain('nothing', NOW + 1)).rejects.toMatchObject({ code: 'not_found' });
  expect(await spool.load()).toEqual(SERVES);
  expect(await drains()).toEqual({});
});

it('said while the engine is away, or carries nothing, it holds once it does', async () => {
  const duty = await open();
  engine.lose();
  await duty.stop(null);
  engine.restart('i2');
  expect(await duty.hold('i2')).toBeNull();
  expect(await drains()).toEqual({});
  engine.document = documentOf();
  await duty.hold('i2');
  expect(await drains()).toEqual({ '*': NEVER });
});

it('a disk that refuses refuses the command, and nothing is drained', async () => {
  const full = { keep: () => Promise.reject(new Error('ENOSPC')) };
  const duty = new Duty(SERVES, { engine, spool: full, now: () => NOW, log: quiet });
  await expect(duty.stop(null)).rejects.toThrow('ENOSPC');
  expect(duty.stopped).toBe(false);
  expect(await drains()).toEqual({});
});

it('what cannot be brought about is said, and tried again', async () => {
  await (await open()).drain(null, NOW + HOUR);
  const duty = await open();
  await engine.drain({ service: 'chat', deadlineMs: HOUR });
  engine.before = (call) => {
    if (call === 'undrain') throw new Error('port taken');
  };
  expect(await duty.hold('i1')).toMatch(/port taken/);
  engine.before = () => undefined;
  expect(await duty.hold('i1')).toBeNull();
  expect(await drains()).toEqual({ '*': NOW + HOUR });
});
