import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigStatusReport } from '../../proto/vocab/agent-link.ts';
import type { ConfigHash, NodeName } from '../../proto/vocab/ids.ts';
import type { EngineInfo } from '../../proto/vocab/node.ts';
import { freePorts } from '../../scripts/demo/ports.ts';
import { alive, type Child, end, forget, program, ready, start, until } from '../../scripts/demo/process.ts';
import { childrenOf } from '../harness/live-engine.ts';
import { run } from '../harness/run.ts';
import { type ScriptedMaster, scriptedMaster } from '../harness/scripted-master.ts';

// The agent as it is run: its own process, and the engine it starts as another.

const HK = 'hk-1' as NodeName;

interface Ready {
  readonly pid: number;
  readonly enginePid: number;
}

let dir: string;
let master: ScriptedMaster;
let settings: string;
let port: number;
const agents = new Set<number>();
const engines = new Set<number>();

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'aicdn-agent-'));
  mkdirSync(path.join(dir, 'log'));
  [port = 0] = await freePorts(1);
  master = await scriptedMaster({ dir });
  settings = path.join(dir, 'agent.yml');
  writeFileSync(
    settings,
    `node: {type: edge, region: hk, name: hk-1}
master: {addr: "${master.address}", token: ${master.token()}}
gost: {config_path: ${path.join(dir, 'gost.yml')}}
state_dir: ${path.join(dir, 'state')}
engine: {socket: ${path.join(dir, 'e.sock')}, spawn: true, workers: 1}
`,
  );
});
afterAll(async () => {
  // An agent that lives starts its engine anew.
  for (const pid of [...agents, ...engines]) await end(pid);
  await master?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function agent(): Promise<{ child: Child; facts: Ready }> {
  const file = path.join(dir, 'ready');
  forget(file);
  const argv = [program('agent'), 'run', '--config', settings, '--ready-file', file];
  const child = start({ name: 'agent', argv, logDir: path.join(dir, 'log') });
  agents.add(child.pid);
  const facts = await ready<Ready>(child, file, 15_000);
  engines.add(facts.enginePid);
  return { child, facts };
}

const heartbeatOf = (hash: ConfigHash, pid?: number) => () =>
  master.heard.calls
    .filter((c) => c.method === 'heartbeat')
    .map((c) => c.args[1] as EngineInfo | null)
    .findLast((e) => e?.documentHash === hash && (pid === undefined || e.pid === pid)) ?? null;

describe('agent and engine', () => {
  it('kill -9 and SIGTERM of the agent leave the engine alone; kill -9 of the engine brings a new one with the same document', async () => {
    const one = await agent();
    const hash = master.offer(
      HK,
      1,
      `services: [{name: chat, addr: "127.0.0.1:${port}", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}}]\n`,
    );
    await until('in force', 10_000, heartbeatOf(hash));
    one.child.kill('SIGKILL');
    await one.child.ended;
    expect(alive(one.facts.enginePid)).toBe(true);

    const two = await agent();
    expect(two.facts.enginePid).toBe(one.facts.enginePid);
    two.child.kill('SIGTERM');
    expect(await two.child.ended).toBe('exit 0');
    expect(alive(one.facts.enginePid)).toBe(true);
    const goodbye = master.heard.calls.filter((c) => c.method === 'events').flatMap((c) => c.args);
    expect(JSON.stringify(goodbye)).toMatch(/SIGTERM/);

    const three = await agent();
    process.kill(three.facts.enginePid, 'SIGKILL');
    const next = await until('another engine, the same document', 15_000, () => {
      const e = heartbeatOf(hash)();
      return e && e.pid !== three.facts.enginePid ? e : null;
    });
    engines.add(next.pid);
    const said = await run('agent', ['status', '--config', settings]);
    expect(said.code).toBe(0);
    expect(said.stdout).toMatch(new RegExp(`hk-1[\\s\\S]*v1 ${hash.slice(0, 12)}[\\s\\S]*pid ${next.pid}`));
    // Nobody else reads the log, and the token is not in it.
    expect(readFileSync(path.join(dir, 'state', 'engine.log'), 'utf8')).not.toMatch(/ct1\./);
    three.child.kill('SIGTERM');
    await three.child.ended;
    await end(next.pid);
    expect((await run('agent', ['status', '--config', settings])).code).toBe(1);
  });

  it('an engine that hangs shows as lost at once, is not doubled, and is the same one when it goes on', async () => {
    const { child, facts } = await agent();
    const health = () => master.heard.calls.filter((c) => c.method === 'heartbeat').at(-1)?.args[0];
    await until('ok', 5000, () => (health() === 'ok' ? true : null));
    const beat = (): EngineInfo =>
      master.heard.calls.filter((c) => c.method === 'heartbeat').at(-1)?.args[1] as EngineInfo;
    const carriers = await until('its worker', 5000, () => {
      const pids = beat().workers?.map((w) => w.pid) ?? [];
      return pids.length > 0 ? pids : null;
    });
    // Control answers for the engine; stopped, it keeps its socket and says nothing.
    const control = (await childrenOf(facts.enginePid)).find((p) => !carriers.includes(p)) ?? 0;
    process.kill(control, 'SIGSTOP');
    await until('engine_lost', 5000, () => (health() === 'engine_lost' ? true : null));
    const beats = master.heard.calls.length;
    await until('heartbeats go on', 5000, () => (master.heard.calls.length > beats + 2 ? true : null));
    process.kill(control, 'SIGCONT');
    await until('ok again', 15_000, () => (health() === 'ok' ? true : null));
    process.kill(control, 'SIGKILL');
    await until('its next control', 5000, () => (beat()?.restarts === 1 ? true : null));
    expect(readFileSync(path.join(dir, 'state', 'engine.log'), 'utf8')).not.toMatch(/already running/);
    expect(beat().pid).toBe(facts.enginePid);
    child.kill('SIGTERM');
    await child.ended;
  });

  it('kill -9 at any moment of a change leaves a node that runs one of the two documents, whole, and takes the next one', async () => {
    const [other = 0] = await freePorts(1);
    const text = (at: number): string =>
      `services: [{name: chat, addr: "127.0.0.1:${at}", handler: {type: tcp}, listener: {type: tcp}, forwarder: {nodes: [{name: o, addr: "127.0.0.1:9"}]}}]\n`;
    const texts = [text(port), text(other)];
    let revision = 100;
    for (let round = 0; round < 8; round++) {
      const { child, facts } = await agent();
      const offered = texts[round % 2] ?? '';
      revision += 1;
      master.offer(HK, revision, offered);
      await sleep(round * 12);
      child.kill('SIGKILL');
      await child.ended;
      expect(alive(facts.enginePid)).toBe(true);
      expect(texts).toContain(readFileSync(path.join(dir, 'gost.yml'), 'utf8'));
    }
    const { child } = await agent();
    revision += 1;
    const said = master.heard.calls.length;
    const last = master.offer(HK, revision, texts[0] ?? '');
    await until('the last one in force', 10_000, () => {
      const statuses = master.heard.calls.slice(said).filter((c) => c.method === 'configStatus');
      const told = statuses.map((c) => c.args[0] as ConfigStatusReport);
      return told.some((r) => r.status === 'applied' && r.effectiveHash === last) ? true : null;
    });
    expect(readFileSync(path.join(dir, 'gost.yml'), 'utf8')).toBe(texts[0]);
    const damaged = readdirSync(path.join(dir, 'state'), { recursive: true }).filter((f) =>
      `${f}`.includes('damaged'),
    );
    expect(damaged).toEqual([]);
    child.kill('SIGTERM');
    await child.ended;
  });

  it('joined already: says so, and nothing is asked of the master', async () => {
    const asked = master.secrets.length;
    const again = await run('agent', ['join', '--config', settings]);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/already.*hk-1/) });
    expect(master.secrets).toHaveLength(asked);
  });

  it('bad settings are refused with file, line and column, exit 2; help has examples', async () => {
    const bad = path.join(dir, 'bad.yml');
    writeFileSync(bad, 'node: {type: edge, region: hk}\nmaster: {adr: "127.0.0.1:1"}\n');
    const refused = await run('agent', ['run', '--config', bad]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/line 2, column 10: .*bad\.yml.*master\.adr.*did you mean master\.addr/);
    expect((await run('agent', ['run', '--nope'])).code).toBe(2);
    const help = await run('agent', ['--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toMatch(/Examples:[\s\S]*aicdn-agent join/);
  });
});
