import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { altered, deployNode, endsWhen, manage, script, unpack } from '../harness/deployed.ts';
import { type Far, FarClients, farOrigin } from '../harness/far-streams.ts';
import { type Host, Hosts, report } from '../harness/host.ts';
import { makeRelease, type Release } from '../harness/installed.ts';

// Other releases take over on a host that carries 50 streams, and go again when they are no good: no stream notices.

const STREAMS = 50;
const PORT = 443;
const ORIGIN = 8000;

let hosts: Hosts;
let master: Host;
let node: Host;
let origin: Far;
let streams: FarClients;
const made: Release[] = [];

beforeAll(async () => {
  const first = await makeRelease('0.0.1');
  made.push(first);
  hosts = await Hosts.create();
  [master, node] = await Promise.all([hosts.boot('m'), hosts.boot('hk-1')]);
  origin = await farOrigin(hosts, ORIGIN);
  await Promise.all([unpack(master, first), unpack(node, first)]);
  const { code, stderr } = await script(master, 'deploy-master.sh', []);
  if (code !== 0) throw new Error(stderr);
  await deployNode(node, master, { type: 'edge', region: 'hk', name: 'hk-1' });
  writeFileSync(
    path.join(master.root, 'root/edge.yml'),
    `services: [{name: chat, addr: ":${PORT}", handler: {type: tcp}, forwarder: {nodes: [{name: o, addr: "${hosts.net.gateway}:${ORIGIN}"}]}}]\n`,
  );
  await master.run(['aicdnctl', 'configs', 'create', '/root/edge.yml', '--label', 'v1']);
  await master.run(['aicdnctl', '--yes', 'configs', 'publish', 'v1', '--confirm', '1']);
  await master.until('[ "$(aicdnctl nodes list --no-headers | awk \'$7 == "in_sync"\' | wc -l)" = 1 ]');
  streams = await FarClients.open(hosts, { host: node.address, port: PORT, count: STREAMS });
}, 300_000);
afterAll(async () => {
  await streams?.stop();
  await origin?.stop();
  await hosts?.down();
  for (const release of made) release.remove();
});

/** The archive and its sum are on the host, as an operator brings them. */
async function bring(host: Host, release: Release): Promise<string> {
  const name = path.basename(release.archive);
  await host.copyIn(release.archive, `/root/${name}`);
  await host.copyIn(
    release.archive.replace('.tar.gz', '.sha256'),
    `/root/${name.replace('.tar.gz', '.sha256')}`,
  );
  return `/root/${name}`;
}

function another(version: string, spoil: Parameters<typeof altered>[2] = {}): Release {
  const release = altered(made[0] as Release, version, spoil);
  made.push(release);
  return release;
}

const current = (host: Host) => host.run(['readlink', '/opt/ai-cdn/current']);
const engineVersion = async (): Promise<string> =>
  /engine: +embedded (\S+),/.exec((await manage(node, 'status')).stdout)?.[1] ?? '';

async function allCarry(): Promise<void> {
  await streams.advance(3);
  expect(streams.state).toMatchObject({ open: STREAMS, faults: [] });
  const fresh = await FarClients.open(hosts, { host: node.address, port: PORT, count: 1 });
  expect(fresh.state).toMatchObject({ open: 1, faults: [] });
  await fresh.stop();
}

describe('a release that is good', () => {
  it('takes over on a node: agent and engine, no stream cut', async () => {
    const file = await bring(node, another('0.0.2'));
    const engine = await node.property('ai-cdn-engine', 'MainPID');
    const since = Date.now();
    const r = await manage(node, 'upgrade', file);
    expect(r.code, r.stderr).toBe(0);
    report(`upgrade of a node under ${STREAMS} streams: ${Date.now() - since} ms`);
    expect(r.stdout).toMatch(/^engine 0\.0\.2: \d+ processes carry; 50 streams go on in those before$/m);
    expect(await current(node)).toBe('/opt/ai-cdn/releases/0.0.2');
    expect(await engineVersion()).toBe('0.0.2');
    expect(await node.property('ai-cdn-engine', 'MainPID')).toBe(engine);
    await allCarry();
    const again = await manage(node, 'upgrade', file);
    expect(again.stdout).toMatch(/^nothing to do: 0\.0\.2 runs here already$/m);
  });

  it('takes over on the master', async () => {
    const r = await manage(master, 'upgrade', await bring(master, made[1] as Release));
    expect(r.code, r.stderr).toBe(0);
    expect(await master.run(['aicdn-master', 'version'])).toBe('aicdn-master 0.0.2');
    await master.until('[ "$(aicdnctl nodes list --status ready -o name)" = hk-1 ]');
    await allCarry();
  });

  it('goes again by rollback, and comes back by its version', async () => {
    expect((await manage(node, 'rollback')).code).toBe(0);
    expect(await current(node)).toBe('/opt/ai-cdn/releases/0.0.1');
    expect(await engineVersion()).toBe('0.0.1');
    expect((await manage(node, 'rollback', '0.0.2')).code).toBe(0);
    expect(await engineVersion()).toBe('0.0.2');
    expect(await manage(node, 'rollback', '0.0.9')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/0\.0\.9 is not kept here; these are: .*0\.0\.1/),
    });
    await allCarry();
  });
});

describe('a release that is no good', () => {
  const running = endsWhen("process.argv[2] === 'run'", 1);

  it.each<readonly [string, () => Host, Parameters<typeof altered>[2], RegExp]>([
    ['whose agent does not start', () => node, { 'lib/agent.mjs': running }, /the agent did not start/],
    [
      'whose engine does not take over',
      () => node,
      // A worker has no arguments.
      { 'lib/engine.mjs': endsWhen('process.argv.length === 2', 3) },
      /the engine does not go on with 0\.0\.3/,
    ],
    ['whose master does not start', () => master, { 'lib/master.mjs': running }, /the master did not start/],
  ])('%s is put away by itself, and the one before runs', async (_, on, spoil, why) => {
    const host = on();
    const file = await bring(host, another('0.0.3', spoil));
    const since = Date.now();
    const r = await manage(host, 'upgrade', file);
    report(`a broken release is tried and put away again in ${Date.now() - since} ms`);
    expect(r.code, r.stdout).toBe(1);
    expect(r.stderr).toMatch(why);
    expect(r.stderr).toMatch(/this host is as it was before$/);
    expect(r.stderr).not.toMatch(/not put back/);
    expect(await current(host)).toBe('/opt/ai-cdn/releases/0.0.2');
    expect(await host.run(['ls', '/opt/ai-cdn/releases'])).not.toContain('0.0.3');
    // What was put back has begun this very second: what it says of itself may take one more.
    let status = await manage(host, 'status');
    for (let i = 0; i < 20 && status.code !== 0; i++) {
      await sleep(500);
      status = await manage(host, 'status');
    }
    expect(status.code, status.stdout).toBe(0);
    if (host === node) expect(await engineVersion()).toBe('0.0.2');
    await allCarry();
  });

  it.each<readonly [string, (file: string) => string, RegExp]>([
    ['whose sum is another', (f) => `echo x >> ${f}`, /is not what its sha256 says/],
    [
      'that is no archive',
      (f) => `echo x > ${f}; rm ${f.replace('.tar.gz', '.sha256')}`,
      /cannot be unpacked/,
    ],
    [
      'that lacks a part',
      (f) =>
        `cd /tmp && tar xzf ${f} && rm ai-cdn-*/lib/ctl.mjs && tar czf ${f} ai-cdn-* && rm -r ai-cdn-* ${f.replace('.tar.gz', '.sha256')}`,
      /the release has no lib\/ctl\.mjs/,
    ],
  ])('%s is refused before anything is touched', async (_, spoil, why) => {
    const file = await bring(node, another('0.0.4'));
    await node.run(['sh', '-ec', spoil(file)]);
    const pid = await node.property('ai-cdn-agent', 'MainPID');
    const r = await manage(node, 'upgrade', file);
    expect(r.code).toBe(1);
    expect(r.stderr).toMatch(why);
    expect(await node.property('ai-cdn-agent', 'MainPID')).toBe(pid);
    expect(await node.run(['ls', '-A', '/opt/ai-cdn'])).toBe('current\nprevious\nreleases');
  });
});

it('three releases are kept, and the one whose runtime the engine still runs on', async () => {
  for (const version of ['0.0.5', '0.0.6', '0.0.7']) {
    const r = await manage(node, 'upgrade', await bring(node, another(version)));
    expect(r.code, r.stderr).toBe(0);
  }
  const kept = (await node.run(['ls', '/opt/ai-cdn/releases'])).split('\n');
  expect(kept).toEqual(['0.0.1', '0.0.5', '0.0.6', '0.0.7']);
  await allCarry();
});
