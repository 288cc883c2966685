import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/demo/process.ts';
import { type Far, FarClients, farOrigin } from '../harness/far-streams.ts';
import { type Host, Hosts, report } from '../harness/host.ts';
import { install, makeRelease, type Release, settings } from '../harness/installed.ts';

// Our units under real systemd: a master on one host, agent and engine on another, streams through them from outside.

const UNITS = ['ai-cdn-master', 'ai-cdn-agent', 'ai-cdn-engine'] as const;
const MOST_EXPOSURE = 2.0;
const STREAMS = 20;
const PORT = 443;
const ORIGIN = 8000;
const AGENT =
  'node: {type: edge, region: hk}\nmaster: {addr: "m:50051"}\ngost: {config_path: /var/lib/ai-cdn/gost.yml}\nengine: {workers: 2, drain: 5s}\n';
const edge = (): string =>
  `services: [{name: plain, addr: ":${PORT}", handler: {type: tcp}, forwarder: {nodes: [{name: o, addr: "${hosts.net.gateway}:${ORIGIN}"}]}}]\n`;

let hosts: Hosts;
let release: Release;
let master: Host;
let node: Host;
let origin: Far;
/** Engines that were made to hang: silence is believed after half a minute, other tests run meanwhile. */
let hanging: Promise<readonly Hung[]>;

interface Hung {
  readonly host: Host;
  readonly ms: number;
  readonly restarts: string;
  readonly streams: FarClients;
}

beforeAll(async () => {
  [release, hosts] = await Promise.all([makeRelease(), Hosts.create()]);
  [master, node] = await Promise.all([hosts.boot('m'), hosts.boot('hk-1')]);
  const alone = await Promise.all([hosts.boot('loop'), hosts.boot('workers')]);
  origin = await farOrigin(hosts, ORIGIN);
  await Promise.all([master, node, ...alone].map((host) => install(host, release)));
  hanging = Promise.all(
    alone.map((host) => hang(host, host.name === 'loop' ? '$p' : '$(cat /proc/$p/task/$p/children)')),
  );
  hanging.catch(() => undefined);
}, 300_000);
afterAll(async () => {
  await origin?.stop();
  await hosts?.down();
  release?.remove();
});

const ctl = (...args: string[]) => master.run(['aicdnctl', '--yes', ...args]);
const started = (unit: string, on: Host) => on.run(['systemctl', 'start', unit]);

async function mainPid(unit: string, host: Host): Promise<number> {
  const pid = Number(await host.property(unit, 'MainPID'));
  if (pid === 0) throw new Error(`${unit} does not run on ${host.name}`);
  return pid;
}
const on = (unit: string): Host => (unit === 'ai-cdn-master' ? master : node);

/** An engine by itself, with streams; `whom`: what is stopped of it, `$p` its main process. */
async function hang(host: Host, whom: string): Promise<Hung> {
  await settings(host, 'agent.yml', AGENT);
  mkdirSync(path.join(host.root, 'var/lib/ai-cdn'), { recursive: true });
  writeFileSync(path.join(host.root, 'var/lib/ai-cdn/gost.yml'), edge());
  if (host.name === 'workers') {
    // Sooner than the engine itself replaces workers that are silent: that its primary does not speak for them.
    const drop = 'etc/systemd/system/ai-cdn-engine.service.d';
    mkdirSync(path.join(host.root, drop), { recursive: true });
    writeFileSync(path.join(host.root, drop, 'sooner.conf'), '[Service]\nWatchdogSec=8s\n');
    await host.run(['systemctl', 'daemon-reload']);
  }
  await started('ai-cdn-engine', host);
  const streams = await FarClients.open(hosts, { host: host.address, port: PORT, count: 3 });
  const pid = await mainPid('ai-cdn-engine', host);
  const since = Date.now();
  await host.run(['sh', '-ec', `p=${pid}; kill -STOP ${whom}`]);
  const ms = await another('ai-cdn-engine', pid, since, host);
  return { host, ms, restarts: await host.property('ai-cdn-engine', 'NRestarts'), streams };
}

async function reportHang(unit: string, host: Host, ms: number): Promise<void> {
  const waits = seconds(await host.property(unit, 'WatchdogUSec'));
  report(
    `${unit} on ${host.name}, made to hang, is ready again after ${ms} ms; its watchdog waits ${waits} s`,
  );
  expect(await host.run(['journalctl', '-u', unit, '-o', 'cat', '--no-pager'])).toMatch(/Watchdog timeout/);
}

/** Cut, not ended: half an answer does not look whole. */
function expectCut(streams: FarClients): void {
  expect(new Set(streams.state.faults)).toEqual(new Set(['read ECONNRESET']));
}

/** Waits for another main process that is ready. @returns milliseconds since `since` */
async function another(unit: string, not: number, since: number, host = on(unit)): Promise<number> {
  await host.until(
    `[ "$(systemctl show --value -p ActiveState ${unit})" = active ] && p=$(systemctl show --value -p MainPID ${unit}) && [ "$p" != 0 ] && [ "$p" != ${not} ]`,
  );
  return Date.now() - since;
}

describe('the units', () => {
  it('are read by systemd without a word', async () => {
    const files = readdirSync(path.join(ROOT, 'config/units')).filter((f) => /\.(service|socket)$/.test(f));
    expect(files.toSorted()).toEqual(UNITS.map((u) => `${u}.service`).toSorted());
    for (const file of files) {
      const r = await node.exec(['systemd-analyze', 'verify', `/etc/systemd/system/${file}`]);
      expect(r, file).toEqual({ code: 0, stdout: '', stderr: '' });
    }
  });

  it.each(UNITS)('%s is exposed by 2.0 at most', async (unit) => {
    const text = await node.run(['systemd-analyze', 'security', '--no-pager', `${unit}.service`]);
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    report(`exposure of ${unit}: ${exposure}`);
    expect(exposure).toBeLessThanOrEqual(MOST_EXPOSURE);
  });
});

describe('started', () => {
  it('master, agent and engine are ready when systemd says so', async () => {
    await settings(
      master,
      'master.yml',
      'name: field\nhttp: {addr: "127.0.0.1:8080"}\ngrpc: {advertise: [m]}\nheartbeat: {interval: 1s}\n',
    );
    await started('ai-cdn-master', master);
    // No waiting in between: ready means that it answers.
    const token = JSON.parse(
      await ctl('token', 'create', '--type', 'edge', '--region', 'hk', '--name', 'hk-1', '-o', 'json'),
    ) as { token: string };
    await settings(node, 'agent.yml', AGENT);
    writeFileSync(path.join(node.root, 'etc/ai-cdn/agent.env'), `AICDN_MASTER_TOKEN=${token.token}\n`);
    await started('ai-cdn-agent', node);
    expect(await node.property('ai-cdn-engine', 'ActiveState')).toBe('active');

    writeFileSync(path.join(master.root, 'root/edge.yml'), edge());
    await ctl('configs', 'create', '/root/edge.yml', '--label', 'v1');
    await ctl('configs', 'publish', 'v1', '--confirm', '1');
    await master.until('aicdnctl node list -o json | grep -q \'"configSync": *"in_sync"\'');
  });

  it('have the rights they need and no more', async () => {
    const uids = await Promise.all(
      UNITS.map(async (u) => on(u).run(['stat', '-c', '%U:%G', `/proc/${await mainPid(u, on(u))}`])),
    );
    expect(uids).toEqual(UNITS.map(() => 'ai-cdn:ai-cdn'));
    const modes = (host: Host, ...paths: string[]) =>
      host.run(['stat', '-c', '%a %U:%G %n', '/run/ai-cdn', '/var/lib/ai-cdn', ...paths]);
    expect(await modes(master, '/run/ai-cdn/master.sock')).toBe(
      '750 ai-cdn:ai-cdn /run/ai-cdn\n700 ai-cdn:ai-cdn /var/lib/ai-cdn\n660 ai-cdn:ai-cdn /run/ai-cdn/master.sock',
    );
    expect(await modes(node, '/run/ai-cdn/engine.sock')).toBe(
      '750 ai-cdn:ai-cdn /run/ai-cdn\n700 ai-cdn:ai-cdn /var/lib/ai-cdn\n600 ai-cdn:ai-cdn /run/ai-cdn/engine.sock',
    );
  });
});

describe('with streams through it', () => {
  let streams: FarClients;
  beforeAll(async () => {
    streams = await FarClients.open(hosts, { host: node.address, port: PORT, count: STREAMS });
  });
  afterAll(() => streams?.stop());

  it('master and agent restart, and are killed: each is back, no stream notices', async () => {
    for (const unit of ['ai-cdn-master', 'ai-cdn-agent']) {
      await on(unit).run(['systemctl', 'restart', unit]);
      const pid = await mainPid(unit, on(unit));
      await on(unit).run(['kill', '-9', `${pid}`]);
      const ms = await another(unit, pid, Date.now());
      report(`${unit} is ready ${ms} ms after kill -9`);
      expect(ms).toBeLessThan(20_000);
    }
    await master.until('aicdnctl node list -o json | grep -q \'"status": *"ready"\'');
    await streams.advance(5);
    expect(streams.state.faults).toEqual([]);
    expect(streams.state.open).toBe(STREAMS);
  });

  it('a new generation of the engine by command cuts none', async () => {
    const pid = await mainPid('ai-cdn-engine', node);
    await ctl('restart', 'hk-1', '--wait');
    await streams.advance(5);
    expect(streams.state.faults).toEqual([]);
    expect(await mainPid('ai-cdn-engine', node)).toBe(pid);
  });

  it('the engine, killed, carries again by itself: it needs neither agent nor master', async () => {
    await Promise.all([
      node.run(['systemctl', 'stop', 'ai-cdn-agent']),
      master.run(['systemctl', 'stop', 'ai-cdn-master']),
    ]);
    expect(await node.exec(['test', '-d', '/run/ai-cdn'])).toMatchObject({ code: 0 });
    const pid = await mainPid('ai-cdn-engine', node);
    await node.run(['kill', '-9', `${pid}`]);
    const ms = await another('ai-cdn-engine', pid, Date.now());
    report(`ai-cdn-engine carries again ${ms} ms after kill -9`);
    expect(ms).toBeLessThan(20_000);
    await streams.until((s) => s.faults.length === STREAMS);
    expectCut(streams);
    const again = await FarClients.open(hosts, { host: node.address, port: PORT, count: 3 });
    expect(again.state).toMatchObject({ open: 3, faults: [] });
    await again.stop();
    await Promise.all([started('ai-cdn-agent', node), started('ai-cdn-master', master)]);
    await master.until('aicdnctl node list -o json | grep -q \'"status": *"ready"\'');
  });
});

describe('what hangs', () => {
  it('is found by the watchdog and started again: master and agent', async () => {
    await Promise.all(
      (['ai-cdn-master', 'ai-cdn-agent'] as const).map(async (unit) => {
        const pid = await mainPid(unit, on(unit));
        const since = Date.now();
        await on(unit).run(['kill', '-STOP', `${pid}`]);
        await reportHang(unit, on(unit), await another(unit, pid, since));
      }),
    );
  });

  it('is found by the watchdog: an engine whose own loop stands still, and one whose workers do', async () => {
    const hung = await hanging;
    expect(hung.map((h) => h.restarts)).toEqual(['1', '1']);
    for (const { host, ms, streams } of hung) {
      await reportHang('ai-cdn-engine', host, ms);
      expectCut(streams);
      const again = await FarClients.open(hosts, { host: host.address, port: PORT, count: 1 });
      await again.stop();
    }
  });
});

describe('what ends', () => {
  it('comes back after restart --hard, which ends the engine: its unit starts it', async () => {
    await master.until('aicdnctl --yes reload hk-1 --wait');
    const pid = await mainPid('ai-cdn-engine', node);
    expect(await ctl('restart', 'hk-1', '--hard', '--wait')).toMatch(/succeeded/);
    expect(await mainPid('ai-cdn-engine', node)).not.toBe(pid);
    await FarClients.open(hosts, { host: node.address, port: PORT, count: 1 }).then((s) => s.stop());
  });

  it('stopped, takes nothing new and lets streams end until engine.drain', async () => {
    const streams = await FarClients.open(hosts, { host: node.address, port: PORT, count: 3 });
    const since = Date.now();
    await node.run(['systemctl', 'stop', '--no-block', 'ai-cdn-engine']);
    await node.until(`! ss -Hltn 'sport = :${PORT}' | grep -q .`);
    await streams.advance(3);
    expect(streams.state.faults).toEqual([]);
    await node.until('[ "$(systemctl is-active ai-cdn-engine)" = inactive ]');
    report(`the engine with streams ended ${Date.now() - since} ms after its stop; engine.drain is 5 s`);
    await streams.until((s) => s.faults.length === 3);
    expectCut(streams);
    expect(await node.property('ai-cdn-engine', 'Result')).toBe('success');
    await streams.stop();
    await started('ai-cdn-engine', node);
  });

  it('is not started for ever where that cannot help', async () => {
    await node.run(['systemctl', 'stop', 'ai-cdn-agent']);
    await node.run(['sh', '-c', 'mv /var/lib/ai-cdn/identity /root/; rm /etc/ai-cdn/agent.env']);
    expect((await node.exec(['systemctl', 'start', 'ai-cdn-agent'])).code).not.toBe(0);
    await node.until('[ "$(systemctl is-failed ai-cdn-agent)" = failed ]');
    expect(await node.property('ai-cdn-agent', 'ExecMainStatus')).toBe('3');
    await settings(master, 'master.yml', 'nmae: field\n');
    expect((await master.exec(['systemctl', 'restart', 'ai-cdn-master'])).code).not.toBe(0);
    await master.until('[ "$(systemctl is-failed ai-cdn-master)" = failed ]');
    expect(await master.property('ai-cdn-master', 'ExecMainStatus')).toBe('2');
  });
});

/** `15s`, `1min 30s` */
function seconds(text: string): number {
  return [...text.matchAll(/(\d+)(min|s)/g)].reduce(
    (sum, [, n, u]) => sum + Number(n) * (u === 'min' ? 60 : 1),
    0,
  );
}
