import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Agent, joinNode, startAgent } from '../../agent/app.ts';
import { OwnLines } from '../../agent/core/own-lines.ts';
import { startEngine } from '../../agent/engine/embedded/app.ts';
import { IdentitySpool } from '../../agent/spool/identity.ts';
import { type AgentSettings, loadAgentSettings } from '../../config/agent.ts';
import { compressed, OFFER_GZIP } from '../../proto/link/offer-body.ts';
import type { ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import type { CommandResult } from '../../proto/vocab/command.ts';
import type { NodeName } from '../../proto/vocab/ids.ts';
import { VERSION } from '../../proto/vocab/version.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { until } from '../../scripts/demo/process.ts';
import { memoryLog } from '../fakes/services.ts';
import { type ScriptedMaster, scriptedMaster } from '../harness/scripted-master.ts';

// The agent as a whole, with a real engine beside it, against a master that says what the test wants.

const HK = 'hk-1' as NodeName;

let dir: string;
let master: ScriptedMaster;
let origin: net.Server;
let ports: { edge: number; other: number; origin: number };
const toStop: (() => unknown)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'aicdn-agent-'));
  const [edge = 0, other = 0] = await freePorts(2);
  origin = net.createServer((s) => s.on('error', () => undefined).end());
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  ports = { edge, other, origin: (origin.address() as net.AddressInfo).port };
  master = await scriptedMaster({ dir });
});
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
  await master.stop();
  await new Promise((resolve) => origin.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

const document = (port: number, target = ports.origin): string => `services:
- name: chat
  addr: "127.0.0.1:${port}"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder: {nodes: [{name: o, addr: "127.0.0.1:${target}"}]}
`;

function settings(more: Record<string, string> = {}): AgentSettings {
  const flags = {
    'node.type': 'edge',
    'node.region': 'hk',
    'node.name': 'hk-1',
    'master.addr': master.address,
    'gost.config_path': path.join(dir, 'gost.yml'),
    state_dir: path.join(dir, 'state'),
    'engine.socket': path.join(dir, 'e.sock'),
    ...more,
  };
  return loadAgentSettings({ env: {}, flags }).settings;
}

async function engine(instance = 'i1'): Promise<{ stop: () => Promise<void> }> {
  const current = (name: string): string => path.join(dir, 'state', 'identity', 'current', name);
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const running = await startEngine(
    {
      socket: path.join(dir, 'e.sock'),
      document: path.join(dir, 'gost.yml'),
      identity: { certFile: current('cert.pem'), keyFile: current('key.pem'), caFile: current('ca.pem') },
    },
    {
      version: VERSION,
      instance,
      pid: process.pid,
      now: () => Date.now(),
      clock: () => performance.now(),
      random: () => 0.5,
      write: () => undefined,
      exit: resolve,
    },
  );
  const stop = async (): Promise<void> => {
    await running.stop();
    await gone;
  };
  toStop.push(stop);
  return { stop };
}

async function agent(
  s: AgentSettings = settings({ 'master.token': master.token() }),
  readyFile: string | null = null,
): Promise<Agent & { log: ReturnType<typeof memoryLog> }> {
  const log = memoryLog();
  const running = await startAgent(s, readyFile, {
    log,
    own: new OwnLines(),
    engineProgram: '/none',
    env: {},
    now: () => Date.now(),
    random: () => 0.1,
  });
  toStop.push(() => running.stop('test is over'));
  return { ...running, log };
}

const statuses = (): ConfigStatusReport[] =>
  master.heard.calls.filter((c) => c.method === 'configStatus').map((c) => c.args[0] as ConfigStatusReport);
const ended = (n = 1): Promise<ConfigStatusReport> =>
  until(
    `${n} settled config statuses`,
    8000,
    () => statuses().filter((s) => s.status !== 'applying')[n - 1] ?? null,
  );
const connect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const s = net.connect(port, '127.0.0.1');
    s.once('connect', () => {
      s.destroy();
      resolve(true);
    });
    s.once('error', () => resolve(false));
  });

describe('a config', () => {
  it('goes through its phases into force, onto the disk, and is acknowledged with what the engine read back', async () => {
    await engine();
    const ready = path.join(dir, 'ready');
    await agent(undefined, ready);
    await master.heard.until('connected');
    const text = document(ports.edge);
    const hash = master.offer(HK, 1, text);
    const done = await ended();
    expect(done).toMatchObject({ status: 'applied', effectiveHash: hash, warnings: [] });
    expect(done.engine).toMatchObject({ documentHash: hash, generation: 1, instance: 'i1' });
    expect(statuses().flatMap((s) => (s.status === 'applying' ? [s.phase] : []))).toEqual([
      'validate',
      'confirm',
    ]);
    expect(await readFile(path.join(dir, 'gost.yml'), 'utf8')).toBe(text);
    expect((await stat(path.join(dir, 'state'))).mode & 0o777).toBe(0o700);
    expect((await stat(path.join(dir, 'state', 'identity', 'current', 'key.pem'))).mode & 0o777).toBe(0o600);
    expect(await connect(ports.edge)).toBe(true);
    const facts = JSON.parse(await until('ready', 3000, () => readFile(ready, 'utf8').catch(() => null)));
    expect(facts).toMatchObject({ pid: process.pid, node: 'hk-1', engineSocket: path.join(dir, 'e.sock') });
  });

  it('that comes compressed is checked, carried and kept as what was written', async () => {
    await engine();
    await agent();
    await master.heard.until('connected');
    const said = master.heard.calls.find((c) => c.method === 'connected')?.args[0];
    expect(said).toMatchObject({ capabilities: expect.arrayContaining(['listener.tcp', OFFER_GZIP]) });
    const text = `${'# the same on each line\n'.repeat(500)}${document(ports.edge)}`;
    expect(compressed(Buffer.from(text))?.length).toBeLessThan(500);
    const hash = master.offer(HK, 1, text);
    expect(await ended()).toMatchObject({ status: 'applied', effectiveHash: hash });
    expect(await readFile(path.join(dir, 'gost.yml'), 'utf8')).toBe(text);
  });

  it('that is what the engine runs is acknowledged without a new generation', async () => {
    await engine();
    await agent();
    await master.heard.until('connected');
    const hash = master.offer(HK, 1, document(ports.edge));
    await ended();
    master.offer(HK, 2, document(ports.edge));
    const again = await ended(2);
    expect(again).toMatchObject({ status: 'applied', effectiveHash: hash });
    expect(again.engine?.generation).toBe(1);
  });

  it('that does not read, or whose port is taken, is refused with the place; what ran goes on', async () => {
    await engine();
    await agent();
    await master.heard.until('connected');
    const good = master.offer(HK, 1, document(ports.edge));
    await ended();
    master.offer(HK, 2, document(ports.edge).replace('handler:', 'hander:'));
    const unread = await ended(2);
    expect(unread).toMatchObject({
      status: 'failed',
      phase: 'validate',
      reverted: false,
      effectiveHash: good,
    });
    if (unread.status === 'failed') expect(unread.refusal).toMatchObject({ line: 4 });
    const taken = master.offer(HK, 3, document(ports.origin));
    const refused = await ended(3);
    expect(refused).toMatchObject({
      status: 'failed',
      phase: 'prepare',
      rejectedHash: taken,
      reverted: false,
    });
    if (refused.status === 'failed') {
      expect(refused.refusal).toMatchObject({ line: 3, column: 9, path: 'services[0].addr' });
      expect(refused.refusal.message).toMatch(/in use/);
    }
    expect(await connect(ports.edge)).toBe(true);
    // The same again is refused at once, and an older revision is not even answered.
    master.offer(HK, 4, document(ports.origin));
    expect(await ended(4)).toMatchObject({ status: 'failed', phase: 'prepare', rejectedHash: taken });
    expect((await ended(4)).engine?.generation).toBe(1);
  });

  it('that loses the way to the target is put back; one that never reached it is a warning', async () => {
    await engine();
    await agent();
    await master.heard.until('connected');
    const good = master.offer(HK, 1, document(ports.edge));
    await ended();
    const bad = master.offer(HK, 2, document(ports.edge, ports.other));
    const reverted = await ended(2);
    expect(reverted).toMatchObject({
      status: 'failed',
      phase: 'confirm',
      reverted: true,
      rejectedHash: bad,
      effectiveHash: good,
    });
    expect(await readFile(path.join(dir, 'gost.yml'), 'utf8')).toBe(document(ports.edge));
    const fresh = document(ports.other, 1).replace('name: chat', 'name: spare');
    master.offer(HK, 3, `${document(ports.edge)}${fresh.replace('services:\n', '')}`);
    const warned = await ended(3);
    expect(warned).toMatchObject({ status: 'applied' });
    expect(warned.warnings.join()).toMatch(/spare does not reach/);
  });
});

describe('commit confirmed', () => {
  it('without the master’s word the node puts the previous config back by itself', async () => {
    await master.stop();
    master = await scriptedMaster({ dir, rollbackMs: 1500 });
    await engine();
    await agent();
    await master.heard.until('connected');
    const good = master.offer(HK, 1, document(ports.edge));
    await ended();
    const { transportConfirms } = silence(master);
    const bad = master.offer(HK, 2, document(ports.other));
    const back = await until('put back', 8000, () => {
      const s = statuses().at(-1);
      return s?.status === 'failed' && s.rejectedHash === bad ? s : null;
    });
    expect(back).toMatchObject({ reverted: true, effectiveHash: good, nonce: '' });
    expect(back.status === 'failed' && back.refusal.code).toBe('not_confirmed');
    expect(transportConfirms()).toBeGreaterThan(0);
    expect(await connect(ports.edge)).toBe(true);
    expect(await connect(ports.other)).toBe(false);
  });
});

describe('commit confirmed, the agent gone meanwhile', () => {
  it('is taken back by the next one, with no master in reach', async () => {
    await master.stop();
    master = await scriptedMaster({ dir, rollbackMs: 2000 });
    await engine();
    const one = await agent();
    await master.heard.until('connected');
    master.offer(HK, 1, document(ports.edge));
    await ended();
    silence(master);
    master.offer(HK, 2, document(ports.other));
    await ended(2);
    expect(await connect(ports.other)).toBe(true);
    await one.stop('gone');
    await master.stop();
    await agent(settings());
    await until('the previous config', 8000, async () => ((await connect(ports.edge)) ? true : null));
    await until('and nothing else', 2000, async () => ((await connect(ports.other)) ? null : true));
  });
});

/** The master's words on commits are lost on the way from here on. */
function silence(m: ScriptedMaster): { transportConfirms: () => number } {
  let lost = 0;
  const sessions = m.sessions as unknown as {
    sessions: Map<NodeName, { send(body: { kind: string }): void }>;
  };
  for (const session of sessions.sessions.values()) {
    const send = session.send.bind(session);
    session.send = (body) => {
      if (body.kind === 'commit_confirm') lost += 1;
      else send(body);
    };
  }
  return { transportConfirms: () => lost };
}

describe('the engine', () => {
  it('that starts anew is found and runs the last-known-good; its loss shows in the heartbeat', async () => {
    const first = await engine('i1');
    await agent();
    await master.heard.until('connected');
    const hash = master.offer(HK, 1, document(ports.edge));
    await ended();
    await first.stop();
    await until('engine_lost', 8000, () =>
      master.heard.calls.some((c) => c.method === 'heartbeat' && c.args[0] === 'engine_lost') ? true : null,
    );
    await rm(path.join(dir, 'gost.yml'));
    await engine('i2');
    await until('the document in force again', 8000, () =>
      master.heard.calls.some((c) => {
        const e =
          c.method === 'heartbeat' ? (c.args[1] as { instance: string; documentHash: string } | null) : null;
        return e?.instance === 'i2' && e.documentHash === hash;
      })
        ? true
        : null,
    );
    expect(await connect(ports.edge)).toBe(true);
  });
});

describe('commands', () => {
  const results = (): CommandResult[] =>
    master.heard.calls.filter((c) => c.method === 'commandStatus').map((c) => c.args[0] as CommandResult);
  const order = (id: string, expiresAt = Date.now() + 60_000): void =>
    master.sessions.sendCommand(HK, { id, type: 'reload', timeoutMs: 5000, expiresAt, options: {} });

  it('a reload delivered three times, twice of them after a restart, is carried out once', async () => {
    await engine();
    const one = await agent();
    await master.heard.until('connected');
    const hash = master.offer(HK, 1, document(ports.edge));
    await ended();
    order('c-1');
    const first = await until(
      'the result',
      5000,
      () => results().find((r) => r.state === 'succeeded') ?? null,
    );
    expect(first).toMatchObject({ commandId: 'c-1', unchanged: true, streamsKept: 0, exitCode: 0 });
    expect(first.before).toMatchObject({ generation: 1, documentHash: hash });
    expect(first.after).toMatchObject({ generation: 2, documentHash: hash });
    await one.stop('restart');
    await agent(settings());
    await master.heard.until('connected', 2);
    const before = results().length;
    order('c-1');
    order('c-1');
    await until('told again', 5000, () => (results().length >= before + 2 ? true : null));
    expect(results().at(-1)).toEqual(first);
    order('c-2', Date.now() - 1000);
    const late = await until('expired', 5000, () => results().find((r) => r.commandId === 'c-2') ?? null);
    expect(late.state).toBe('expired');
    order('c-3');
    const next = await until(
      'c-3',
      5000,
      () => results().find((r) => r.commandId === 'c-3' && r.state === 'succeeded') ?? null,
    );
    // Had anything been carried out twice, the engine would have counted it.
    expect(next.after?.generation).toBe(3);
  });
});

describe('joining and the certificate', () => {
  it('the secret never leaves for a master of another CA', async () => {
    const spool = new IdentitySpool({ stateDir: path.join(dir, 'state') }, { report: () => undefined });
    const [, , ...rest] = master.token().split('.');
    const joining = joinNode(settings(), spool, ['ct1', '0'.repeat(64), ...rest].join('.'));
    await expect(joining).rejects.toThrow(/CA/);
    expect(master.secrets).toEqual([]);
    expect(await spool.load()).toBeNull();
  });

  it('a used token says so and leaves nothing behind', async () => {
    const token = master.token();
    const at = (name: string) =>
      new IdentitySpool({ stateDir: path.join(dir, name) }, { report: () => undefined });
    expect((await joinNode(settings(), at('one'), token)).node).toBe('hk-1');
    await expect(joinNode(settings(), at('two'), token)).rejects.toThrow(/used already.*token create/s);
    expect(await at('two').load()).toBeNull();
  });

  it('past half its life it is renewed over the stream, with a new key, and the conversation begins anew with it', async () => {
    await master.stop();
    // Certificates begin five minutes in the past: a minute's life is nearly over.
    master = await scriptedMaster({ dir, ttlMs: 60_000 });
    await engine();
    const key = path.join(dir, 'state', 'identity', 'current', 'key.pem');
    const spool = new IdentitySpool({ stateDir: path.join(dir, 'state') }, { report: () => undefined });
    const first = await joinNode(settings(), spool, master.token());
    await agent(settings());
    await master.heard.until('connected', 2);
    expect(master.renewals).toEqual(['hk-1']);
    expect(await readFile(key, 'utf8')).not.toBe(first.keyPem);
    const now = await spool.load();
    expect(now && now.notAfter - first.notAfter).toBeGreaterThan(86_400_000);
  });

  it('an expired one may renew and nothing else; then the node is back', async () => {
    await master.stop();
    master = await scriptedMaster({ dir, ttlMs: 1000 });
    await engine();
    const spool = new IdentitySpool({ stateDir: path.join(dir, 'state') }, { report: () => undefined });
    const first = await joinNode(settings(), spool, master.token());
    await until('it is expired', 5000, () => (Date.now() > first.notAfter ? true : null));
    await agent(settings());
    const [hello] = await master.heard.until('connected');
    expect(hello).toMatchObject({ protocol: 1 });
    expect(master.renewals).toEqual(['hk-1']);
    expect((await spool.load())?.notAfter).toBeGreaterThan(Date.now() + 86_400_000);
  });

  it('a master that is not there yet is waited for', async () => {
    const token = master.token();
    const address = master.address;
    await master.stop();
    await engine();
    const starting = agent(settings({ 'master.token': token, 'master.addr': address }));
    master = await scriptedMaster({ dir, port: Number(address.split(':').at(-1)), tokens: [token] });
    await starting;
    await master.heard.until('connected');
  });

  it('a node that was never joined and has no token says what to do', async () => {
    await expect(agent(settings())).rejects.toThrow(/token create/);
  });
});

describe('a master that goes and comes back', () => {
  it('hears a refusal it may have missed, and figures as deltas', async () => {
    await engine();
    await agent();
    await master.heard.until('connected');
    master.offer(HK, 1, document(ports.edge));
    await ended();
    const bad = master.offer(HK, 2, document(ports.origin));
    await ended(2);
    const port = Number(master.address.split(':').at(-1));
    await master.stop();
    master = await scriptedMaster({ dir, port });
    const [hello] = await master.heard.until('connected');
    expect(hello).toMatchObject({ rejectedHash: bad, protocol: 1 });
    expect(await ended()).toMatchObject({ status: 'failed', rejectedHash: bad, nonce: '' });
    await master.heard.until('metrics');
    await connect(ports.edge);
    const opened = (): number =>
      master.heard.calls
        .filter((c) => c.method === 'metrics')
        .flatMap((c) => (c.args[0] as { services: { service: string; opened: number }[] }).services)
        .reduce((sum, s) => sum + s.opened, 0);
    await until('the connection is counted', 5000, () => (opened() > 0 ? true : null));
    expect(opened()).toBe(1);
  });
});
