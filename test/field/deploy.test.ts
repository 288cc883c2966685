import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployNode, joinToken, manage, SCRIPTS, script, treeOf, unpack } from '../harness/deployed.ts';
import { type Far, FarClients, farOrigin } from '../harness/far-streams.ts';
import { type Host, Hosts, report } from '../harness/host.ts';
import { makeRelease, type Release } from '../harness/installed.ts';

// From bare hosts to a fleet that carries streams, and back to bare hosts, by the scripts of a release alone.

const MOST_MS = 60_000;
const EDGE = { type: 'edge', region: 'hk', name: 'hk-1' };
const CORE = { type: 'core', region: 'cn', name: 'cn-1' };
const ORIGIN = 8000;

let hosts: Hosts;
let release: Release;
let master: Host;
let edge: Host;
let core: Host;
let origin: Far;
/** What the edge's host was before we came. */
let bare: string;

beforeAll(async () => {
  [release, hosts] = await Promise.all([makeRelease(), Hosts.create()]);
  [master, edge, core] = await Promise.all([hosts.boot('m'), hosts.boot('hk-1'), hosts.boot('cn-1')]);
  origin = await farOrigin(hosts, ORIGIN);
  await Promise.all([master, edge, core].map((h) => unpack(h, release)));
  bare = await treeOf(edge, ['/'], false);
}, 300_000);
afterAll(async () => {
  await origin?.stop();
  await hosts?.down();
  release?.remove();
});

describe('deployed', () => {
  it('a master answers, says the first code and how a node joins', async () => {
    const r = await script(master, 'deploy-master.sh', ['--skip-mongo', '--web-port', '80']);
    expect(r.code, r.stderr).toBe(0);
    report(`deploy-master.sh on a bare host: ${r.ms} ms`);
    expect(r.ms).toBeLessThan(MOST_MS);
    expect(r.stdout).toMatch(/^the first admin: aicdnctl bootstrap --user NAME --code \w{5}(-\w{5}){3}$/m);
    expect(r.stdout).toContain(`deploy-agent.sh ${master.address}:50051 edge hk hk-node-1`);
    expect(r.stderr).toMatch(/--skip-mongo: there is no MongoDB/);
    expect(r.stderr).toMatch(/--web-port: there is no web console/);
    // Ready means that it answers.
    expect(await master.run(['aicdnctl', 'whoami'])).toMatch(/admin/);
    expect(await master.run(['cat', '/proc/sys/net/ipv4/ip_local_reserved_ports'])).toBe('50051');
  });

  it('its code makes the first admin, and is not said again', async () => {
    const again = await script(master, 'deploy-master.sh', []);
    const code = /--code (\S+)/.exec(again.stdout)?.[1] ?? '';
    const words = ['bootstrap', '--user', 'lin', '--code', code, '--password-stdin'];
    await master.run(['aicdnctl', ...words], { input: 'correct horse battery staple\n' });
    const { stdout } = await script(master, 'deploy-master.sh', []);
    expect(stdout).not.toContain('--code');
  });

  it('an edge that is refused, or finds no master, leaves its host as it was', async () => {
    const token = await joinToken(master, EDGE);
    const words = [EDGE.type, EDGE.region, EDGE.name];
    const tries: readonly (readonly [string, string, RegExp])[] = [
      ['m:50051', token.replace(/.$/, (c) => (c === 'a' ? 'b' : 'a')), /token/],
      ['m:50051', await joinToken(master, CORE), /type|region|name/],
      ['m:50052', token, /no master answers[\s\S]*the token is still good/],
    ];
    for (const [at, given, why] of tries) {
      const r = await script(edge, 'deploy-agent.sh', [at, ...words], { AICDN_MASTER_TOKEN: given });
      expect(r.code, r.stdout).toBe(1);
      expect(r.stderr).toMatch(why);
      expect(r.stderr).toMatch(/^ {2}do: /m);
      expect(r.stderr).toMatch(/this host is as it was before$/);
      expect(r.stdout + r.stderr).not.toContain(given.slice(-30));
      expect(await treeOf(edge, ['/'], false)).toBe(bare);
    }
  });

  it('an edge and a core are connected, their token in no file and no command line', async () => {
    // The edge's is in the environment; the core's is asked for, and typed.
    const typed = async () => {
      const command = `${SCRIPTS}/deploy-agent.sh m:50051 core cn cn-1 --port 40443`;
      const since = Date.now();
      const r = await core.exec(['script', '-qec', command, '/dev/null'], {
        input: `${await joinToken(master, CORE)}\n`,
      });
      expect(r.code, r.stdout).toBe(0);
      expect(r.stdout).toContain('on the master: aicdnctl tokens create --type core --region cn --name cn-1');
      return Date.now() - since;
    };
    for (const [host, deployed] of [
      [edge, () => deployNode(edge, master, EDGE)],
      [core, typed],
    ] as const) {
      const ms = await deployed();
      report(`deploy-agent.sh on a bare host: ${ms} ms`);
      expect(ms).toBeLessThan(MOST_MS);
      const left = await host.exec([
        'grep',
        '-rlE',
        'ct1\\.[0-9a-f]{8}',
        '/etc',
        '/var/lib/ai-cdn',
        '/tmp',
        '/var/log',
      ]);
      expect(left.stdout).toBe('');
      expect(
        await host.run(['sh', '-c', 'cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr "\\0" "\\n"']),
      ).not.toMatch(/ct1\.[0-9a-f]{8}/);
    }
    expect(await core.run(['cat', '/proc/sys/net/ipv4/ip_local_reserved_ports'])).toBe('40443');
    expect((await master.run(['aicdnctl', 'nodes', 'list', '-o', 'name'])).split('\n')).toEqual([
      'cn-1',
      'hk-1',
    ]);
  });

  it('two runs at a time do not happen', async () => {
    const held = "flock /run/lock/ai-cdn-host.lock sh -c '/opt/ai-cdn/current/scripts/manage.sh uninstall'";
    const r = await edge.exec(['sh', '-c', held]);
    expect(r).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/another of these scripts is at work/),
    });
  });

  it('run again, each script changes nothing', async () => {
    const runs = [
      [master, 'deploy-master.sh', [], ['ai-cdn-master']],
      [edge, 'deploy-agent.sh', ['m:50051', 'edge', 'hk', 'hk-1'], ['ai-cdn-agent', 'ai-cdn-engine']],
    ] as const;
    for (const [host, name, words, units] of runs) {
      const state = async () => [
        await treeOf(host, ['/etc', '/opt', '/usr/local'], true),
        ...(await Promise.all(units.map((u) => host.property(u, 'MainPID')))),
      ];
      const before = await state();
      const r = await script(host, name, words);
      expect(r.code, r.stderr).toBe(0);
      expect(r.stdout).toMatch(/^nothing to do: this host is so already$/m);
      expect(await state()).toEqual(before);
    }
  });

  it('streams flow from edge to core to origin', async () => {
    const put = async (name: string, type: string, text: string) => {
      writeFileSync(path.join(master.root, `root/${name}.yml`), text);
      await master.run(['aicdnctl', 'configs', 'create', `/root/${name}.yml`, '--label', name]);
      await master.run(['aicdnctl', '--yes', 'configs', 'publish', name, '--type', type, '--confirm', '1']);
    };
    await put(
      'core',
      'core',
      `services:
- {name: in, addr: ":8443", handler: {type: relay}, listener: {type: mtls}, forwarder: {nodes: [{name: o, addr: "${hosts.net.gateway}:${ORIGIN}"}]}}
`,
    );
    await put(
      'edge',
      'edge',
      `services:
- {name: chat, addr: ":443", handler: {type: tcp, chain: to-core}, listener: {type: tcp}}
chains: [{name: to-core, hops: [{name: cores}]}]
hops:
- name: cores
  nodes: [{name: cn-1, addr: "cn-1:8443", connector: {type: relay}, dialer: {type: mtls}}]
`,
    );
    await master.until('[ "$(aicdnctl nodes list --no-headers | awk \'$7 == "in_sync"\' | wc -l)" = 2 ]');
    const streams = await FarClients.open(hosts, { host: edge.address, port: 443, count: 10 });
    await streams.advance(5);
    expect(streams.state).toMatchObject({ open: 10, faults: [] });
    await streams.stop();
    // The document lies where the settings say, for an engine that starts alone.
    expect(await edge.run(['stat', '-c', '%U', '/etc/ai-cdn/gost.yml'])).toBe('ai-cdn');
  });
});

describe('day to day', () => {
  it('a member of the group types aicdn-tui and is in', async () => {
    await master.run(['useradd', '-m', '-G', 'ai-cdn', 'lin']);
    await master.run(['useradd', '-m', 'eve']);
    const as = (user: string, command: string) => master.exec(['runuser', '-l', user, '-c', command]);
    expect((await as('lin', 'aicdnctl whoami')).stdout).toMatch(/^lin\(\d+\), admin$/);
    const eve = await as('eve', 'aicdnctl whoami');
    expect(eve.code).not.toBe(0);
    const screen = await as(
      'lin',
      'TERM=xterm-256color script -qec "stty cols 120 rows 30; timeout --foreground -k 2 4 aicdn-tui" /dev/null',
    );
    expect(screen.stdout).toContain('hk-1');
    expect(screen.stdout).toContain('cn-1');
  });

  it('manage.sh says how a host is, by words and by its exit status', async () => {
    expect(await manage(master, 'status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^master +active for .*\n {2}nodes +2, 2 ready$/m),
    });
    expect(await manage(edge, 'status')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ {2}master +connected to m:50051$/m),
    });
    const monitor = await manage(master, 'monitor');
    expect(monitor.stdout).toMatch(/^ {2}hk-1 +hk +edge +ready/m);
    const live = await master.exec([
      ...[
        'script',
        '-qec',
        'timeout --foreground 6 /opt/ai-cdn/current/scripts/manage.sh monitor --interval 1',
        '/dev/null',
      ],
    ]);
    expect(live.stdout.split('\u001b[H\u001b[2J').length).toBeGreaterThan(2);
    await manage(edge, 'stop');
    const stopped = await manage(edge, 'status');
    expect(stopped).toMatchObject({ code: 2, stdout: expect.stringMatching(/^agent +inactive/m) });
    expect(stopped.stdout).toMatch(/^engine +active/m);
    expect((await manage(edge, 'start')).code).toBe(0);
    await edge.until('/opt/ai-cdn/current/scripts/manage.sh status');
  });

  it('manage.sh reloads what changed and nothing else, refuses wrong settings, and shows logs', async () => {
    const pid = () => master.property('ai-cdn-master', 'MainPID');
    const before = await pid();
    expect((await manage(master, 'reload')).stdout).toMatch(/in force already/);
    expect(await pid()).toBe(before);
    const settings = path.join(master.root, 'etc/ai-cdn/master.yml');
    await master.run([
      'sh',
      '-c',
      'cp /etc/ai-cdn/master.yml /root/; sed -i "s/^grpc:/grcp:/" /etc/ai-cdn/master.yml',
    ]);
    const refused = await manage(master, 'reload');
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/grcp: there is no such setting/),
    });
    expect((await manage(master, 'config-check')).code).toBe(1);
    expect(await pid()).toBe(before);
    await master.run(['cp', '/root/master.yml', settings.slice(master.root.length)]);
    // Times of units are told in whole seconds.
    await master.run(['touch', '-d', '+2 seconds', '/etc/ai-cdn/master.yml']);
    expect((await manage(master, 'reload')).stdout).toMatch(/master begins anew/);
    expect(await pid()).not.toBe(before);
    expect((await manage(edge, 'reload')).stdout).toMatch(/engine reloaded: generation \d+ -> \d+/);
    await master.until('[ "$(aicdnctl nodes list --status ready -o name | wc -l)" = 2 ]');
    expect((await manage(master, 'reload', 'region=hk')).code).toBe(0);
    expect((await manage(edge, 'logs', 'agent', '-n', '5')).stdout.split('\n').length).toBeLessThanOrEqual(6);
    writeFileSync(path.join(master.root, 'root/bad.yml'), 'services: [{nmae: x}]\n');
    expect(await manage(master, 'config-check', '/root/bad.yml', '--type', 'edge')).toMatchObject({
      code: 1,
    });
    expect(await manage(master, 'config-check', '/root/edge.yml', '--type', 'edge')).toMatchObject({
      code: 0,
    });
  });

  it('hostile arguments do nothing to a real host', async () => {
    const before = await treeOf(edge, ['/'], false);
    for (const text of [
      '$(touch /etc/canary)',
      'x\ntouch /etc/canary',
      '../../etc',
      '-rf',
      '; touch /etc/canary #',
    ]) {
      for (const words of [
        ['deploy-agent.sh', text, 'edge', 'hk', 'hk-1'],
        ['deploy-agent.sh', 'm:50051', 'edge', 'hk', text],
        ['deploy-master.sh', '--advertise', text],
        ['manage.sh', 'rollback', text],
        ['manage.sh', 'backup', `/etc/${text}/x`],
        ['manage.sh', 'stop', text],
      ]) {
        const r = await edge.exec([`${SCRIPTS}/${words[0]}`, ...words.slice(1)]);
        expect(r.code, `${words.join(' ')}: ${r.stderr}${r.stdout}`).not.toBe(0);
      }
    }
    expect(await treeOf(edge, ['/'], false)).toBe(before);
    expect(await edge.property('ai-cdn-agent', 'ActiveState')).toBe('active');
  });
});

describe('taken off again', () => {
  it('what is kept is settings and data, and the node comes back from it without a token', async () => {
    const kept = ['/etc/ai-cdn', '/var/lib/ai-cdn/identity'];
    const before = await treeOf(edge, kept, false);
    const r = await script(edge, 'deploy-agent.sh', ['--uninstall']);
    expect(r.code, r.stderr).toBe(0);
    expect(r.stdout).toMatch(/aicdnctl nodes remove hk-1/);
    expect(await treeOf(edge, kept, false)).toBe(before);
    const beside = (text: string) =>
      text.split('\n').filter((l) => !/^\/(etc|var\/lib|var\/log)\/ai-cdn/.test(l));
    expect(beside(await treeOf(edge, ['/'], false))).toEqual(beside(bare));
    const again = await script(edge, 'deploy-agent.sh', ['m:50051', 'edge', 'hk', 'hk-1']);
    expect(again.code, again.stderr).toBe(0);
    await FarClients.open(hosts, { host: edge.address, port: 443, count: 1 }).then((s) => s.stop());
  });

  it('and with --purge nothing is left', async () => {
    expect((await script(edge, 'deploy-agent.sh', ['--uninstall', '--purge'])).code).toBe(2);
    expect(await edge.property('ai-cdn-agent', 'ActiveState')).toBe('active');
    const dry = await script(edge, 'manage.sh', ['uninstall', '--purge', '--dry-run']);
    expect(dry.stdout).toMatch(/^would remove \/var\/lib\/ai-cdn/m);
    expect(await edge.property('ai-cdn-agent', 'ActiveState')).toBe('active');
    const r = await manage(edge, 'uninstall', '--purge', '--yes');
    expect(r.code, r.stderr).toBe(0);
    expect(await treeOf(edge, ['/'], false)).toBe(bare);
    for (const file of ['/etc/passwd', '/etc/group', '/etc/shadow'])
      expect(await edge.run(['cat', file])).not.toContain('ai-cdn');
    expect(await edge.run(['systemctl', 'list-units', '--all', '--no-legend', 'ai-cdn-*'])).toBe('');
    expect((await script(edge, 'manage.sh', ['status'])).code).toBe(3);
    expect((await script(edge, 'deploy-agent.sh', ['--uninstall', '--purge', '--yes'])).stdout).toMatch(
      /nothing to do/,
    );
  });
});
